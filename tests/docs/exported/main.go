// SPDX-License-Identifier: Apache-2.0

// Command exported counts what the packages below the given folders export: names of
// a package, and methods and fields of its exported types.
//
//	go run ./tests/docs/exported executor
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"strings"
)

type count struct{ names, methods, fields int }

func main() {
	for _, root := range os.Args[1:] {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			if d.Name() == "internal" || d.Name() == "testdata" {
				return fs.SkipDir
			}
			c, err := countIn(path)
			if c.names > 0 {
				fmt.Printf("%-24s %3d names, %3d methods, %3d fields\n", path, c.names, c.methods, c.fields)
			}
			return err
		})
		if err != nil {
			log.Fatal(err)
		}
	}
}

func countIn(folder string) (c count, err error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return c, err
		}
		for _, d := range file.Decls {
			c.add(d)
		}
	}
	return c, err
}

func (c *count) add(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		switch {
		case !d.Name.IsExported():
		case d.Recv == nil:
			c.names++
		case ast.IsExported(receiver(d.Recv.List[0].Type)):
			c.methods++
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.ValueSpec:
				c.names += exported(s.Names)
			case *ast.TypeSpec:
				if s.Name.IsExported() {
					c.names++
					c.addFields(s.Type)
				}
			}
		}
	}
}

func (c *count) addFields(t ast.Expr) {
	switch t := t.(type) {
	case *ast.StructType:
		for _, f := range t.Fields.List {
			c.fields += exported(f.Names)
		}
	case *ast.InterfaceType:
		for _, f := range t.Methods.List {
			c.methods += exported(f.Names)
		}
	}
}

func exported(names []*ast.Ident) (n int) {
	for _, name := range names {
		if name.IsExported() {
			n++
		}
	}
	return n
}

// receiver gives the name of a method's type, without pointer and parameters.
func receiver(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.IndexListExpr:
		return receiver(t.X)
	case *ast.Ident:
		return t.Name
	}
	return ""
}
