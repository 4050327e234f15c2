package register

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a register file.
const (
	MaxFileSize = 1 << 20 // bytes
	maxDepth    = 24      // of nesting; a register needs 8
	maxRules    = 2000
)

// place is a position in a file.
type place struct{ line, column int }

// document is a YAML file, decoded, with the place of each of its values.
type document struct {
	file   string
	places map[string]place // by path: "rules[3].requires[0].that"
}

// at finds the place of a path, or of the nearest value around it.
func (d *document) at(path string) place {
	for {
		if p, ok := d.places[path]; ok {
			return p
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return d.places[""]
		}
		path = path[:cut]
	}
}

// decodeYAML reads a file strictly: unknown and doubled keys, anchors, aliases,
// several documents and deep nesting are refused.
func decodeYAML(file string, data []byte, into any) (*document, []Finding) {
	fail := func(p place, problem, mend string) (*document, []Finding) {
		return nil, []Finding{{File: file, Line: p.line, Column: p.column, Problem: problem, Mend: mend}}
	}
	if len(data) > MaxFileSize {
		return fail(place{}, fmt.Sprintf("the file has %d bytes, more than %d", len(data), MaxFileSize), "split it")
	}
	// The tokens are looked at first: a parser that resolves aliases or
	// descends into nesting must not see a file that abuses either.
	depth := 0
	tokens := lexer.Tokenize(string(data))
	for _, t := range tokens {
		at := place{t.Position.Line, t.Position.Column}
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			return fail(at, "anchors, aliases and merge keys are not read", "write the value out, or use category_lists")
		case token.MappingStartType, token.SequenceStartType:
			depth++
		case token.MappingEndType, token.SequenceEndType:
			depth--
		}
		if depth > maxDepth || t.Position.Column > 40*maxDepth && t.Type == token.SequenceEntryType {
			return fail(at, "nested too deeply", "a register needs no more than 8 levels")
		}
	}
	parsed, err := parser.Parse(tokens, 0)
	if err != nil {
		p, problem := describe(err)
		return fail(p, problem, "")
	}
	if len(parsed.Docs) != 1 || parsed.Docs[0].Body == nil {
		return fail(place{1, 1}, fmt.Sprintf("%d documents in the file", len(parsed.Docs)), "a file holds exactly one")
	}
	if err := yaml.NodeToValue(parsed.Docs[0].Body, into, yaml.Strict()); err != nil && !errors.Is(err, io.EOF) {
		p, problem := describe(err)
		return fail(p, problem, "")
	}
	doc := &document{file: file, places: map[string]place{"": {1, 1}}}
	doc.walk("", parsed.Docs[0].Body)
	return doc, nil
}

// describe takes the place and the message out of an error of the YAML package.
func describe(err error) (place, string) {
	var withToken yaml.Error
	if errors.As(err, &withToken) {
		p := place{}
		if t := withToken.GetToken(); t != nil {
			p = place{t.Position.Line, t.Position.Column}
		}
		return p, withToken.GetMessage()
	}
	return place{}, err.Error()
}

func (d *document) walk(path string, n ast.Node) {
	if t := n.GetToken(); t != nil && path != "" {
		d.places[path] = place{t.Position.Line, t.Position.Column}
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			d.walkValue(path, v)
		}
	case *ast.MappingValueNode:
		d.walkValue(path, n)
	case *ast.SequenceNode:
		for i, v := range n.Values {
			d.walk(fmt.Sprintf("%s[%d]", path, i), v)
		}
	case *ast.TagNode:
		d.walk(path, n.Value)
	}
}

func (d *document) walkValue(path string, v *ast.MappingValueNode) {
	key := v.Key.GetToken()
	if key == nil {
		return
	}
	child := key.Value
	if path != "" {
		child = path + "." + key.Value
	}
	d.walk(child, v.Value)
	// The place of a value is that of its key: where a reader looks.
	d.places[child] = place{key.Position.Line, key.Position.Column}
}

// version is the identity of a register: what was hashed is what was judged by.
func version(file, categories []byte, decisions []DecisionFile) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%d\n", Format, len(file))
	h.Write(file)
	h.Write(categories)
	for _, d := range decisions {
		fmt.Fprintf(h, "%s\n%d\n", DecisionFormat, len(d.Data))
		h.Write(d.Data)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}
