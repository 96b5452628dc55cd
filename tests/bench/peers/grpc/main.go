// SPDX-License-Identifier: Apache-2.0

// What Pillion's Python rows do, by gRPC on a Unix socket.
//
//	grpc serve SOCKET                    a server: Echo, and Count, which streams
//	grpc fetch SOCKET IN_FLIGHT TIMES    a client of Python's server; prints nanoseconds
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// raw passes bytes as they are, as Pillion does.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error { *v.(*[]byte) = append([]byte{}, data...); return nil }
func (raw) Name() string                       { return "raw" }

func echo(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	request := new([]byte)
	return request, decode(request)
}

func count(_ any, stream grpc.ServerStream) error {
	var request []byte
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	n, err := strconv.Atoi(string(request))
	for i := 0; i < n && err == nil; i++ {
		item := []byte(strconv.Itoa(i))
		err = stream.SendMsg(&item)
	}
	return err
}

func serve(socket string) error {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.ForceServerCodec(raw{}))
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "bench.Bench",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Echo", Handler: echo}},
		Streams:     []grpc.StreamDesc{{StreamName: "Count", Handler: count, ServerStreams: true}},
	}, struct{}{})
	return server.Serve(listener)
}

func fetch(socket string, inFlight, times int) error {
	client, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})))
	if err != nil {
		return err
	}
	round := func(times int) (time.Duration, error) {
		ended := make(chan error, inFlight)
		start := time.Now()
		for range inFlight {
			go func() {
				var err error
				for i := 0; i < times && err == nil; i++ {
					request, response := []byte("x"), []byte(nil)
					err = client.Invoke(context.Background(), "/bench.Bench/Fetch", &request, &response)
				}
				ended <- err
			}()
		}
		for range inFlight {
			if e := <-ended; e != nil {
				err = e
			}
		}
		return time.Since(start), err
	}
	if _, err := round(times/10 + 1); err != nil { // it warms up
		return err
	}
	spent, err := round(times)
	fmt.Println(float64(spent.Nanoseconds()) / float64(inFlight*times))
	return err
}

func run(args []string) error {
	if args[1] == "serve" {
		return serve(args[2])
	}
	inFlight, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	times, err := strconv.Atoi(args[4])
	if err != nil {
		return err
	}
	return fetch(args[2], inFlight, times)
}

func main() {
	if err := run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
