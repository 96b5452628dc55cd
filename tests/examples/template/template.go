// SPDX-License-Identifier: Apache-2.0

// Package template is an example of a provider: the engine is Go's, and the templates
// are its host's.
package template

import (
	"context"
	"errors"
	"strings"
	"text/template"

	"github.com/pillion-dev/pillion/executor/export"
	"github.com/pillion-dev/pillion/executor/imports"
)

var load = imports.Func[string, string]("app.Templates", "load")

type request struct {
	Name string
	Data map[string]any
}

func init() {
	export.Func("template.render", func(ctx context.Context, r request) (string, error) {
		return engine{ctx, 0}.render(r.Name, r.Data)
	}, export.Doc("Renders a template of app.Templates.load. A template includes another by {{include name .}}."))
}

type engine struct {
	ctx   context.Context
	depth int
}

func (e engine) render(name string, data any) (string, error) {
	if e.depth++; e.depth > 20 {
		return "", errors.New(name + " includes itself")
	}
	text, err := load.Call(e.ctx, name) // the host may take its time
	if err != nil {
		return "", err
	}
	t, err := template.New(name).Funcs(template.FuncMap{"include": e.render}).Parse(text)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	err = t.Execute(&out, data)
	return out.String(), err
}
