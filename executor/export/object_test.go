// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"strings"
	"testing"

	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/internal/peer"
)

type box struct {
	content string
	closed  int
}

var errEmpty = errors.New("the box is empty")

func OpenBox(_ context.Context, content string) (*box, error) {
	if content == "" {
		return nil, errEmpty
	}
	return &box{content: content}, nil
}

func (b *box) Get(_ context.Context, _ struct{}) (string, error) {
	if b.content == "lost" {
		return "", errEmpty
	}
	return b.content, nil
}

func (b *box) Fill(_ context.Context, from []Ref[*box]) (Ref[*box], error) {
	for _, other := range from {
		if o := other.Object(); o != nil {
			b.content += o.content
		}
	}
	return Give(&box{content: b.content}), nil
}

func (b *box) Letters(context.Context, struct{}) iter.Seq2[Ref[*box], error] {
	return func(yield func(Ref[*box], error) bool) {
		for _, letter := range strings.Split(b.content, "") {
			if !yield(Give(&box{content: letter}), nil) {
				return
			}
		}
	}
}

func (b *box) Close() error {
	b.closed++
	return nil
}

func init() {
	Object("test.Box",
		New(OpenBox),
		Method("get", (*box).Get),
		Method("fill", (*box).Fill),
		MethodStream("letters", (*box).Letters),
		Close((*box).Close),
		Errors(errEmpty))
}

func keeping(t *testing.T) *peer.Keeper {
	k := new(peer.Keeper)
	carrier.SetKeeper(k)
	t.Cleanup(func() {
		if n := k.Kept(); n != 0 {
			t.Errorf("%d objects are kept", n)
		}
	})
	return k
}

func callBox(t *testing.T, name string, c *peer.Call, request string) (response []byte, err error) {
	t.Helper()
	Lookup("test.Box."+name).Run(context.Background(), []byte(request), c, func(r []byte, e error) { response, err = r, e })
	return response, err
}

func handleIn(t *testing.T, response []byte) uint64 {
	t.Helper()
	if len(response) != 8 {
		t.Fatalf("%q is no handle", response)
	}
	return binary.NativeEndian.Uint64(response)
}

func receiving(objects ...*carrier.Object) *peer.Call {
	c := peer.NewCall(100, false)
	c.Objects = objects
	return c
}

func TestAnObjectIsKeptUntilItsDrop(t *testing.T) {
	k := keeping(t)
	response, err := callBox(t, "openBox", receiving(), "full")
	if err != nil {
		t.Fatal(err)
	}
	handle := handleIn(t, response)
	object := k.Object(handle)
	if got, err := callBox(t, "get", receiving(object), ""); string(got) != "full" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	for range 2 { // Close runs once, however many ask for it
		if _, err := callBox(t, "close", receiving(object), ""); err != nil {
			t.Error(err)
		}
	}
	k.Drop(handle)
	if n := object.Value.(*box).closed; n != 1 {
		t.Errorf("closed %d times", n)
	}
}

func TestErrorsOfAClassHaveCodes(t *testing.T) {
	keeping(t)
	if _, err := callBox(t, "openBox", receiving(), ""); Code(err) != 1 || !errors.Is(err, errEmpty) {
		t.Errorf("code %d of %v", Code(err), err)
	}
	if _, err := callBox(t, "get", receiving(&carrier.Object{Value: &box{content: "lost"}}), ""); Code(err) != 1 {
		t.Errorf("code %d of %v", Code(err), err)
	}
}

func TestAMethodNeedsAnObjectOfItsClass(t *testing.T) {
	keeping(t)
	for _, c := range []*peer.Call{receiving(), receiving(nil), receiving(&carrier.Object{Value: 1})} {
		for _, name := range []string{"get", "fill", "letters", "close"} {
			request := ""
			if name == "fill" {
				request = "[]"
			}
			if _, err := callBox(t, name, c, request); !errors.Is(err, ErrRequest) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestARequestNamesObjects(t *testing.T) {
	k := keeping(t)
	a, b := &carrier.Object{Value: &box{content: "a"}}, &carrier.Object{Value: &box{content: "b"}}
	response, err := callBox(t, "fill", receiving(a, b, a), "[0,null,1]")
	if err != nil {
		t.Fatal(err)
	}
	handle := handleIn(t, response)
	if got := k.Object(handle).Value.(*box).content; got != "abab" {
		t.Errorf("got %q", got)
	}
	k.Drop(handle)
	for _, request := range []string{"[2]", "[-1]", `["0"]`, "[1]"} {
		if _, err := callBox(t, "fill", receiving(a, b, &carrier.Object{Value: "no box"}), request); !errors.Is(err, ErrRequest) {
			t.Errorf("%s: %v", request, err)
		}
	}
}

func TestItemsAreObjects(t *testing.T) {
	k := keeping(t)
	c := receiving(&carrier.Object{Value: &box{content: "xyz"}})
	if _, err := callBox(t, "letters", c, ""); err != nil {
		t.Fatal(err)
	}
	c.End()
	for _, want := range []string{"x", "y", "z"} {
		item, ok := c.Take()
		if !ok || item.Function != carrier.ItemObject {
			t.Fatalf("item %+v, %v", item, ok)
		}
		handle := handleIn(t, []byte(item.Payload))
		if got := k.Object(handle).Value.(*box).content; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		k.Drop(handle)
	}
}

// An item that the host refuses is dropped, and its object closed.
func TestARefusedItemIsDropped(t *testing.T) {
	keeping(t)
	c := receiving(&carrier.Object{Value: &box{content: "xyz"}})
	c.Cancel()
	if _, err := callBox(t, "letters", c, ""); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestAResponseThatCannotBeKeptIsAnError(t *testing.T) {
	k := keeping(t)
	k.Full = true
	if _, err := callBox(t, "openBox", receiving(), "full"); !errors.Is(err, ErrResponse) {
		t.Error(err)
	}
}

func TestObjectsAreDescribed(t *testing.T) {
	for name, want := range map[string]string{
		"openBox": `"request":"string","response":{"object":"test.Box"},"errors":[{"code":1,"message":"the box is empty"}]`,
		"fill":    `"request":{"list":{"object":"test.Box"}},"response":{"object":"test.Box"},"object":"test.Box","errors":`,
		"letters": `"response":"none","out":{"object":"test.Box"},"object":"test.Box"`,
		"close":   `"object":"test.Box","closes":true`,
	} {
		if got := Lookup("test.Box." + name).Descriptor(); !strings.Contains(got, want) {
			t.Errorf("%s: %s lacks %s", name, got, want)
		}
	}
	for name, want := range map[string]Flows{
		"openBox": FlowGives, "get": FlowMethod, "fill": FlowMethod | FlowNames | FlowGives,
		"letters": FlowMethod | FlowOut | FlowGives, "close": FlowMethod,
	} {
		f := Lookup("test.Box." + name)
		if f.Flows() != want || (f.Class() != 0) != (name != "openBox") {
			t.Errorf("%s: flows %b, class %d", name, f.Flows(), f.Class())
		}
	}
}

func TestMistakesOfClassesAreTold(t *testing.T) {
	type other struct{}
	type unknown struct{}
	Object("Box", Method("get", (*box).Get))
	Object("test.None")
	Object("test.Again", Method("get", (*box).Get))
	Object("test.Mixed", Method("a", func(*other, context.Context, string) (string, error) { return "", nil }),
		Method("b", (*box).Get), Method("c d", func(*other, context.Context, string) (string, error) { return "", nil }), Method[*other, string, string]("e", nil))
	Func("test.gives_unknown", func(context.Context, struct{}) (Ref[*unknown], error) { return Ref[*unknown]{}, nil })
	defer func() { // it would be among the functions of other tests
		registry.Lock()
		defer registry.Unlock()
		delete(registry.byName, "test.gives_unknown")
		delete(registry.byName, "test.Mixed.a")
	}()
	err := Err()
	for _, want := range []string{
		`"Box": the name is not of the form module.Class`,
		`"test.None": a class has a constructor, or a method`,
		`"test.Again": *export.box is of the class test.Box`,
		`"test.Mixed.b": it is of type *export.box, and others of *export.other`,
		`"test.Mixed.c d": the name is not of the form module.Class.method`,
		`"test.Mixed.e": the function is nil`,
		`no Object is registered with type *export.unknown`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
}
