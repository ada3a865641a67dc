// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"log"
	"log/slog"
	"strings"
	"text/template"

	"github.com/stretchr/testify/assert"

	"github.com/keyward-go/keyward/vault"
)

// route is one way from a value in memory to a text.
type route struct {
	name string
	to   func(any) string
}

func routes() (out []route) {
	add := func(name string, to func(any) string) { out = append(out, route{name, to}) }
	for _, verb := range []string{"v", "+v", "#v", "s", "q", "x", "X", "d", "p", "U", "c", "t", "o", "b", "e", "#x", "+q", "-20s", "T"} {
		add("%"+verb, func(v any) string { return fmt.Sprintf("%"+verb, v) })
	}
	add("Sprint", func(v any) string { return fmt.Sprint(v, v) })
	add("Sprintln", func(v any) string { return fmt.Sprintln("x", v) })
	add("Errorf", func(v any) string {
		inner := fmt.Errorf("%v %+v", v, v)
		return errors.Join(fmt.Errorf("outer: %w", inner), inner).Error() + fmt.Sprintf("%+v %#v", inner, inner)
	})
	wrapping := "%w" // in a variable, or vet sees that most of these are no errors
	add("Errorf %w", func(v any) string { return fmt.Errorf(wrapping, v).Error() })
	add("slog text", func(v any) string {
		return logged(func(w *bytes.Buffer) slog.Handler { return slog.NewTextHandler(w, nil) }, v)
	})
	add("slog JSON", func(v any) string {
		return logged(func(w *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(w, nil) }, v)
	})
	add("json", func(v any) string { b, err := json.Marshal(v); return fmt.Sprint(string(b), err) })
	add("json indent", func(v any) string {
		b, err := json.MarshalIndent([]any{v, &v}, "", " ")
		return fmt.Sprint(string(b), err)
	})
	add("xml", func(v any) string { b, err := xml.Marshal(v); return fmt.Sprint(string(b), err) })
	add("gob", func(v any) string {
		var b bytes.Buffer
		err := gob.NewEncoder(&b).Encode(v)
		return fmt.Sprint(b.String(), err)
	})
	add("text/template", func(v any) string {
		var b strings.Builder
		err := template.Must(template.New("").Parse(`{{.}} {{printf "%s %v %q" . . .}} {{print .}} {{html .}} {{js .}} {{len .}}`)).Execute(&b, v)
		return fmt.Sprint(b.String(), err)
	})
	add("html/template", func(v any) string {
		var b strings.Builder
		err := htmltemplate.Must(htmltemplate.New("").Parse(`<a title="{{.}}" href="/?q={{.}}">{{.}}</a><script>x = {{.}}</script>`)).Execute(&b, v)
		return fmt.Sprint(b.String(), err)
	})
	add("log", func(v any) string {
		var b bytes.Buffer
		l := log.New(&b, "", 0)
		l.Print(v)
		l.Printf("%v %s", v, v)
		l.Println(v)
		return b.String()
	})
	add("panic", func(v any) (text string) {
		defer func() { p := recover(); text = fmt.Sprintf("%v %+v %#v %s", p, p, p, p) }()
		log.New(&bytes.Buffer{}, "", 0).Panic(v)
		return ""
	})
	add("panic of it", func(v any) (text string) {
		defer func() { text = fmt.Sprintf("%v", recover()) }()
		panic(v)
	})
	add("testify Equal", func(v any) string {
		return testified(func(t assert.TestingT) { assert.Equal(t, v, "another") })
	})
	add("testify diff", func(v any) string {
		return testified(func(t assert.TestingT) {
			assert.Equal(t, []any{v}, []any{"another"})
			assert.EqualValues(t, v, zero(v))
		})
	})
	add("testify others", func(v any) string {
		return testified(func(t assert.TestingT) {
			assert.Nil(t, v)
			assert.Empty(t, v)
			assert.IsType(t, 1, v)
			assert.Contains(t, []any{v}, "another")
			assert.ElementsMatch(t, []any{v}, []any{1})
			assert.NotEqual(t, v, v)
		})
	})
	return out
}

func logged(handler func(*bytes.Buffer) slog.Handler, v any) string {
	var b bytes.Buffer
	l := slog.New(handler(&b))
	l.Info("x", "v", v, slog.Group("g", "v", v), slog.Any("list", []any{v}))
	l.With("v", v).WithGroup("h").Warn("y", slog.Any("v", &v))
	return b.String()
}

// notedT takes down what an assertion says.
type notedT struct{ strings.Builder }

func (t *notedT) Errorf(format string, args ...any) { fmt.Fprintf(t, format, args...) }

func testified(f func(assert.TestingT)) (text string) {
	t := &notedT{}
	defer func() {
		if p := recover(); p != nil { // testify compares functions by panicking
			text = t.String() + fmt.Sprint(p)
		}
	}()
	f(t)
	return t.String()
}

func zero(v any) any {
	switch v.(type) {
	case vault.Secret:
		return vault.NewSecret("another")
	case vault.Token:
		return vault.NewToken("another")
	case *vault.Session:
		return &vault.Session{}
	case *vault.Operator:
		return &vault.Operator{}
	case *vault.Vault:
		return &vault.Vault{}
	}
	return v
}
