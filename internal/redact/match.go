package redact

import (
	"bytes"
	"cmp"
	"html"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// A secret is a text to find. Runs of backslashes in it are one unit, since every encoding
// with backslashes doubles them.
type secret struct {
	text  string
	units []string // UTF-8 of one character, or one invalid byte
	word  bool
}

// A table finds secrets.
type table struct {
	count  int
	starts [256][]*secret       // by each byte with which an encoding of the secret may begin
	pairs  [1 << 16 / 64]uint64 // the two bytes with which one may begin
}

// special are the bytes with which the encoding of any character may begin.
const special = `%\&`

func newTable(secrets map[string]bool) *table {
	t := &table{count: len(secrets)}
	var all []*secret
	for text, word := range secrets {
		all = append(all, newSecret(text, word))
	}
	slices.SortFunc(all, func(a, b *secret) int { return cmp.Compare(len(b.text), len(a.text)) }) // the longest first
	for _, s := range all {
		second := firstBytes(s.units[1])
		for _, b := range firstBytes(s.units[0]) {
			t.starts[b] = append(t.starts[b], s)
			raw := b == s.units[0][0] && !bytes.ContainsRune([]byte(special+"'"), rune(b))
			switch {
			case raw && len(s.units[0]) > 1:
				t.allow(b, s.units[0][1])
			case raw:
				for _, c := range second {
					t.allow(b, c)
				}
			default:
				for c := range 256 {
					t.allow(b, byte(c))
				}
			}
		}
	}
	return t
}

func newSecret(text string, word bool) *secret {
	s := &secret{text: text, word: word}
	for i := 0; i < len(text); {
		_, size := utf8.DecodeRuneInString(text[i:])
		if unit := text[i : i+size]; unit != `\` || s.units[len(s.units)-1] != `\` { // a secret begins with no backslash
			s.units = append(s.units, unit)
		}
		i += size
	}
	if len(s.units) == 1 { // of one character of four bytes: its bytes are units
		s.units = nil
		for i := range len(text) {
			s.units = append(s.units, text[i:i+1])
		}
	}
	return s
}

// firstBytes returns the bytes with which the encodings of a unit begin.
func firstBytes(unit string) []byte {
	list := append([]byte(special), unit[0])
	if unit == " " {
		list = append(list, '+')
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func (t *table) allow(a, b byte) {
	n := int(a)<<8 | int(b)
	t.pairs[n/64] |= 1 << (n % 64)
}

// mayBegin reports whether a secret may begin at i.
func (t *table) mayBegin(text []byte, i int) bool {
	if i+1 == len(text) {
		return t.starts[text[i]] != nil
	}
	n := int(text[i])<<8 | int(text[i+1])
	return t.pairs[n/64]&(1<<(n%64)) != 0
}

// replace appends text[from:] to dst with secrets replaced, and returns how much of text it
// processed. Unless the text is final, that may be less than all: what follows it may
// complete a secret. text[:from] is context.
func (t *table) replace(dst, text []byte, from int, final, isJSON bool) (out []byte, done int) {
	done = from
	for i := from; i < len(text); {
		if !t.mayBegin(text, i) {
			i++
			continue
		}
		end, partial := t.longest(text, i, isJSON)
		for j := i + 1; j < end && !partial; j++ { // those that overlap
			if !t.mayBegin(text, j) {
				continue
			}
			var further int
			further, partial = t.longest(text, j, isJSON)
			end = max(end, further)
		}
		switch {
		case partial && !final:
			return append(dst, text[done:max(done, escapeStart(text, i))]...), max(done, escapeStart(text, i))
		case end == 0:
			i++
			continue
		}
		dst = append(dst, text[done:max(done, escapeStart(text, i))]...)
		dst = append(dst, Mask...)
		done, i = end, end
	}
	done, end := len(text), done
	if !final {
		done = max(end, openEscape(text))
	}
	return append(dst, text[end:done]...), done
}

// longest returns the end of the longest secret that begins at i, 0 for none, and whether
// one may continue after the end of the text.
func (t *table) longest(text []byte, i int, isJSON bool) (end int, partial bool) {
	for _, s := range t.starts[text[i]] {
		e, open := s.match(text, i, isJSON)
		if e > 0 && s.word && (i > 0 && isWord(text[i-1]) || e < len(text) && isWord(text[e])) {
			e = 0
		}
		if e > 0 && isJSON && i > 0 && text[i-1] == '"' && (i < 2 || text[i-2] != '\\') && bytes.HasPrefix(text[e:], []byte(`":`)) {
			e = 0 // a key
		}
		if e > 0 && (s.word || isJSON) && e+2 > len(text) {
			open = true // that it is a word, and no key, is decided by what follows
		}
		end, partial = max(end, e), partial || open
	}
	return end, partial
}

func isWord(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_' || b >= 0x80
}

// match returns the end of the longest encoding of the secret that begins at i, 0 for none,
// and whether one may continue after the end of the text.
func (s *secret) match(text []byte, i int, isJSON bool) (end int, partial bool) {
	var one, two [8]int
	at, next := append(one[:0], i), two[:0]
	for _, unit := range s.units {
		next = next[:0]
		for _, p := range at {
			var open bool
			next, open = ends(next, text, p, unit, isJSON)
			partial = partial || open
		}
		if len(next) == 0 {
			return 0, partial
		}
		at, next = next, at
	}
	return slices.Max(at), partial
}

// maxEscape is the length of the longest encoding of a character, without the backslashes
// before it: six of four bytes, percent-encoded several times.
const maxEscape = 36

// ends adds the ends of the encodings of a unit that begin at i to list, and reports
// whether one may continue after the end of the text.
func ends(list []int, text []byte, i int, unit string, isJSON bool) (all []int, partial bool) {
	add := func(end int) {
		if !slices.Contains(list, end) {
			list = append(list, end)
		}
	}
	rest := text[i:]
	if len(rest) < len(unit) && bytes.HasPrefix([]byte(unit), rest) {
		return list, true
	}
	quote := isJSON && (unit == `"` || unit[0] < ' ') // cannot occur as it is in a string
	if bytes.HasPrefix(rest, []byte(unit)) && !quote && unit != `\` {
		add(i + len(unit))
	}
	short := len(rest) < maxEscape && bytes.IndexByte(rest, '\n') < 0
	switch {
	case len(rest) == 0:
	case rest[0] == '+' && unit == " ":
		add(i + 1)
	case rest[0] == '%':
		if n := percent(rest, unit); n > 0 {
			add(i + n)
		} else if short && isOpenPercent(rest) {
			partial = true
		}
	case rest[0] == '&':
		semicolon := bytes.IndexByte(rest[:min(len(rest), 10)], ';')
		if semicolon > 0 && html.UnescapeString(string(rest[:semicolon+1])) == unit {
			add(i + semicolon + 1)
		} else if semicolon < 0 && len(rest) < 10 && short {
			partial = true
		}
	case rest[0] == '\'' && unit == "'":
		for _, quoted := range []string{`'\''`, `'"'"'`} {
			if bytes.HasPrefix(rest, []byte(quoted)) {
				add(i + len(quoted))
			} else if bytes.HasPrefix([]byte(quoted), rest) {
				partial = true
			}
		}
	case rest[0] == '\\':
		run := len(rest) - len(bytes.TrimLeft(rest, `\`))
		after := rest[run:]
		switch {
		case unit == `\`:
			add(i + run)
			partial = len(after) == 0
		case bytes.HasPrefix(after, []byte(unit)) && (!quote || unit == `"` && run%2 == 1):
			add(i + run + len(unit))
		}
		if n := escape(after, unit); n > 0 {
			add(i + run + n)
		} else if isOpenEscape(after) || len(after) < len(unit) && bytes.HasPrefix([]byte(unit), after) {
			partial = true
		}
	}
	return list, partial
}

// percent returns the length of the percent-encoding of a unit with which text begins, 0
// for none. It may be encoded several times.
func percent(text []byte, unit string) int {
	for prefix := []byte("%"); len(prefix) < 8; prefix = append(prefix, "25"...) {
		n := 0
		for k := range len(unit) {
			if !bytes.HasPrefix(text[n:], prefix) || !isHex(text[n+len(prefix):], 2) || hexValue(text[n+len(prefix):], 2) != rune(unit[k]) {
				n = 0
				break
			}
			n += len(prefix) + 2
		}
		if n > 0 {
			return n
		}
	}
	return 0
}

// isOpenPercent reports whether text consists of percent signs and hexadecimal digits.
func isOpenPercent(text []byte) bool {
	for _, b := range text {
		if b != '%' && !isHexDigit(b) {
			return false
		}
	}
	return true
}

// escape returns the length of the escape of a unit after its backslash, 0 for none.
func escape(after []byte, unit string) int {
	if len(after) == 0 {
		return 0
	}
	r, _ := utf8.DecodeRuneInString(unit)
	switch digits := escapeDigits(after[0]); {
	case digits == 2 && isHex(after[1:], 2) && (len(unit) == 1 && hexValue(after[1:], 2) == rune(unit[0]) || hexValue(after[1:], 2) == r):
		return 3
	case digits > 2 && isHex(after[1:], digits):
		value := hexValue(after[1:], digits)
		if value == r && r != utf8.RuneError {
			return 1 + digits
		}
		if low := after[5:]; digits == 4 && utf16.IsSurrogate(value) && bytes.HasPrefix(low, []byte(`\u`)) && isHex(low[2:], 4) && utf16.DecodeRune(value, hexValue(low[2:], 4)) == r && r > 0xffff {
			return 11
		}
	}
	if letter := bytes.IndexByte([]byte("\a\b\f\n\r\t\v"), unit[0]); letter >= 0 && after[0] == "abfnrtv"[letter] {
		return 1
	}
	return 0
}

// isOpenEscape reports whether text may be the beginning of an escape after its backslash.
func isOpenEscape(after []byte) bool {
	if len(after) == 0 {
		return true
	}
	digits := escapeDigits(after[0])
	if digits == 4 && len(after) >= 5 && len(after) < 11 && isHex(after[1:], 4) && utf16.IsSurrogate(hexValue(after[1:], 4)) {
		return true
	}
	return len(after) <= digits && isHex(after[1:], len(after)-1)
}

// escapeDigits returns the number of digits after a letter of an escape, 0 for another one.
func escapeDigits(letter byte) int {
	switch letter {
	case 'x':
		return 2
	case 'u':
		return 4
	case 'U':
		return 8
	}
	return 0
}

func isHexDigit(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F'
}

func isHex(text []byte, n int) bool {
	if len(text) < n {
		return false
	}
	for _, b := range text[:n] {
		if !isHexDigit(b) {
			return false
		}
	}
	return true
}

func hexValue(text []byte, n int) rune {
	v, _ := strconv.ParseUint(string(text[:n]), 16, 32) // the caller checked the digits
	return rune(v)
}

// escapeStart returns i, or, if i is in the digits of an escape such as \u0041, where the
// escape begins. A part of one would make JSON invalid.
func escapeStart(text []byte, i int) int {
	for p := i - 1; p >= max(0, i-5); p-- {
		if text[p] != '\\' {
			continue
		}
		if p+1 < i && text[p+1] == 'u' && isHex(text[p+2:], 4) && isEscape(text, p) {
			return p
		}
		return i
	}
	return i
}

// isEscape reports whether the backslash at p is not escaped itself.
func isEscape(text []byte, p int) bool {
	begin := p
	for begin > 0 && text[begin-1] == '\\' {
		begin--
	}
	return (p-begin)%2 == 0
}

// openEscape returns the length of text without an escape such as \u0041 whose end is
// missing.
func openEscape(text []byte) int {
	for p := len(text) - 1; p >= max(0, len(text)-5); p-- {
		if text[p] == '\\' && isOpenEscape(text[p+1:]) {
			for p > 0 && text[p-1] == '\\' {
				p--
			}
			return p
		}
	}
	return len(text)
}
