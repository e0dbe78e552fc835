package policy

import "strings"

// A pattern is a text in which * stands for any characters and ? for one, unless they are literal, as in the value of a
// variable.
type pattern []glyph

type glyph struct {
	char    byte
	literal bool
}

func literal(text string) (p pattern) {
	for i := range len(text) {
		p = append(p, glyph{text[i], true})
	}
	return p
}

// expand makes a pattern of a text of a policy. Of a variable, ${KEY} or ${KEY, 'PRESET'}, it takes the value; ok is false
// if it has none, or more than one. Source: IAM user guide, policy variables.
func expand(text string, context map[string][]string, variables bool) (p pattern, ok bool) {
	for text != "" {
		if variables && strings.HasPrefix(text, "${") {
			if name, rest, closed := strings.Cut(text[len("${"):], "}"); closed {
				value, ok := variable(name, context)
				if !ok {
					return nil, false
				}
				p, text = append(p, literal(value)...), rest
				continue
			}
		}
		p, text = append(p, glyph{char: text[0]}), text[1:]
	}
	return p, true
}

func variable(name string, context map[string][]string) (value string, ok bool) {
	if name == "*" || name == "?" || name == "$" {
		return name, true
	}
	key, preset, hasPreset := strings.Cut(name, ",")
	if values := context[strings.ToLower(strings.TrimSpace(key))]; len(values) == 1 {
		return values[0], true
	}
	return strings.Trim(strings.TrimSpace(preset), "'"), hasPreset
}

// match reports whether the pattern matches the whole of a text.
func (p pattern) match(text string) bool {
	wild := func(i int, c byte) bool { return i < len(p) && !p[i].literal && p[i].char == c }
	at, t, star, mark := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case wild(at, '*'):
			star, mark = at, t
			at++
		case wild(at, '?') || at < len(p) && p[at].char == text[t]:
			at, t = at+1, t+1
		case star >= 0: // let the last * stand for one character more
			mark++
			at, t = star+1, mark
		default:
			return false
		}
	}
	for wild(at, '*') {
		at++
	}
	return at == len(p)
}

func matchText(text, s string) bool {
	p, _ := expand(text, nil, false)
	return p.match(s)
}

// text returns the characters, wildcards too.
func (p pattern) text() string {
	b := make([]byte, len(p))
	for i, g := range p {
		b[i] = g.char
	}
	return string(b)
}

// parts divides a pattern at its colons, into at most n parts.
func (p pattern) parts(n int) (parts []pattern) {
	start := 0
	for i, g := range p {
		if g.char == ':' && len(parts) < n-1 {
			parts, start = append(parts, p[start:i]), i+1
		}
	}
	return append(parts, p[start:])
}
