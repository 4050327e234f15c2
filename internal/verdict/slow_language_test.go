package verdict_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A second way to read conditions, for TestSlowEvaluatorAgrees: words are cut,
// and evaluated while they are read, each time again. It shares nothing with
// the compiler of internal/register/condition, nor with CEL.

// Values are bool, string, int, time.Time (a day at midnight UTC), []string,
// nil (null), and these two.
type (
	lacking map[string]bool // not known, for want of these
	absurd  struct{}        // cannot be evaluated
)

// world gives the value of a name, and what a function makes of its arguments.
type world struct {
	value func(name string) any
	call  func(name string, args []any) any
}

type reader struct {
	words []string
	at    int
	world *world
}

func evaluate(w *world, condition string) any {
	r := &reader{words: words(condition), world: w}
	v := r.choice()
	if r.at != len(r.words) {
		panic(fmt.Sprintf("%q is left of %s", r.words[r.at:], condition))
	}
	return v
}

func words(s string) (list []string) {
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		n := 1
		switch c := s[0]; {
		case c == '\'' || c == '"':
			n = strings.IndexByte(s[1:], c) + 2
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9':
			n = len(s) - len(strings.TrimLeft(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_."))
		case slices.Contains([]string{"&&", "||", "==", "!=", "<=", ">="}, s[:min(2, len(s))]):
			n = 2
		}
		list = append(list, s[:n])
		s = s[n:]
	}
	return list
}

func (r *reader) next(word string) bool {
	if r.at < len(r.words) && r.words[r.at] == word {
		r.at++
		return true
	}
	return false
}

func (r *reader) must(word string) {
	if !r.next(word) {
		panic(fmt.Sprintf("no %q at %q", word, r.words[r.at:]))
	}
}

func (r *reader) choice() any {
	v := r.either()
	if !r.next("?") {
		return v
	}
	yes := r.choice()
	r.must(":")
	no := r.choice()
	switch v {
	case true:
		return yes
	case false:
		return no
	}
	return v
}

func (r *reader) either() any {
	v := r.all()
	for r.next("||") {
		v = junction(v, r.all(), true)
	}
	return v
}

func (r *reader) all() any {
	v := r.comparison()
	for r.next("&&") {
		v = junction(v, r.comparison(), false)
	}
	return v
}

// junction is || where decides is true, && where it is false.
func junction(a, b any, decides bool) any {
	la, aLacks := a.(lacking)
	lb, bLacks := b.(lacking)
	_, aIs := a.(bool)
	_, bIs := b.(bool)
	switch {
	case a == any(decides) && aIs || b == any(decides) && bIs:
		return decides
	case aLacks || bLacks:
		return together(la, lb)
	case !aIs || !bIs:
		return absurd{}
	}
	return !decides
}

func together(lists ...lacking) lacking {
	all := lacking{}
	for _, l := range lists {
		for name := range l {
			all[name] = true
		}
	}
	return all
}

func (r *reader) comparison() any {
	a := r.unary()
	for _, op := range []string{"==", "!=", "<=", ">=", "<", ">", "in"} {
		if r.next(op) {
			return compare(op, a, r.unary())
		}
	}
	return a
}

func compare(op string, a, b any) any {
	if l := missingOf(a, b); l != nil {
		return l
	}
	if _, ok := a.(absurd); ok {
		return absurd{}
	}
	if _, ok := b.(absurd); ok {
		return absurd{}
	}
	switch op {
	case "==":
		return same(a, b)
	case "!=":
		return !same(a, b)
	case "in":
		text, ok := a.(string)
		return ok && slices.Contains(b.([]string), text)
	}
	x, y := a.(int), b.(int)
	return map[string]bool{"<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y}[op]
}

func same(a, b any) bool {
	if l, ok := a.([]string); ok {
		return slices.Equal(l, b.([]string))
	}
	return a == b
}

// missingOf is what the values lack, nil if nothing.
func missingOf(values ...any) any {
	var found []lacking
	for _, v := range values {
		if l, ok := v.(lacking); ok {
			found = append(found, l)
		}
	}
	if found == nil {
		return nil
	}
	return together(found...)
}

func (r *reader) unary() any {
	if r.next("!") {
		switch v := r.unary().(type) {
		case bool:
			return !v
		case lacking:
			return v
		default:
			return absurd{}
		}
	}
	return r.primary()
}

func (r *reader) primary() any {
	word := r.words[r.at]
	r.at++
	switch {
	case word == "(":
		v := r.choice()
		r.must(")")
		return v
	case word == "[":
		list := []string{}
		for !r.next("]") {
			list = append(list, r.choice().(string))
			r.next(",")
		}
		return list
	case word[0] == '\'' || word[0] == '"':
		return word[1 : len(word)-1]
	case word[0] >= '0' && word[0] <= '9':
		n, err := strconv.Atoi(word)
		if err != nil {
			panic(err)
		}
		return n
	case word == "true" || word == "false":
		return word == "true"
	case word == "null":
		return nil
	case r.next("("):
		var args []any
		for !r.next(")") {
			args = append(args, r.choice())
			r.next(",")
		}
		return r.world.call(word, args)
	}
	return r.world.value(word)
}

// after is the corresponding day of a period, "P30D", "P6M", "P5Y".
func after(day time.Time, period string) time.Time {
	n, err := strconv.Atoi(period[1 : len(period)-1])
	if err != nil {
		panic(err)
	}
	switch period[len(period)-1] {
	case 'D':
		return day.AddDate(0, 0, n)
	case 'M':
		return monthsOn(day, n)
	}
	return monthsOn(day, 12*n)
}

// monthsOn is the same day n months on, else that month's last.
func monthsOn(day time.Time, n int) time.Time {
	there := day.AddDate(0, n, 0)
	for want := (int(day.Month()) - 1 + n) % 12; (int(there.Month()) - 1) != (want+12)%12; {
		there = there.AddDate(0, 0, -1)
	}
	return there
}
