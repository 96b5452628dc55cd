module github.com/pillion-dev/pillion

go 1.26.0

require (
	github.com/ebitengine/purego v0.11.3
	github.com/mattn/go-pointer v0.0.1
	go.uber.org/goleak v1.3.0
	golang.org/x/sys v0.49.0
	pgregory.net/rapid v1.3.0
)
