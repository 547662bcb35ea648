package main

import (
	"errors"
	"io/fs"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"ftpfs/ftpclient"
)

// parsedValue is a pflag.Value of any type that has a parser.
type parsedValue[T any] struct {
	target *T
	parse  func(string) (T, error)
	kind   string
	text   string // as given
}

// value returns a flag's value that sets target; byDefault is valid or "".
func value[T any](target *T, parse func(string) (T, error), kind, byDefault string) pflag.Value {
	v := &parsedValue[T]{target: target, parse: parse, kind: kind}
	if byDefault != "" {
		v.Set(byDefault)
	}
	return v
}

func (v *parsedValue[T]) String() string { return v.text }
func (v *parsedValue[T]) Type() string   { return v.kind }
func (v *parsedValue[T]) Set(s string) error {
	parsed, err := v.parse(s)
	if err != nil {
		return err
	}
	*v.target, v.text = parsed, s
	return nil
}

func parsePorts(s string) (ftpclient.PortRange, error) {
	low, high, ok := strings.Cut(s, "-")
	if !ok {
		high = low
	}
	lo, err1 := strconv.ParseUint(low, 10, 16)
	hi, err2 := strconv.ParseUint(high, 10, 16)
	if err1 != nil || err2 != nil || lo == 0 || lo > hi {
		return ftpclient.PortRange{}, errors.New("write a range of ports as 50000-50100")
	}
	return ftpclient.PortRange{Lo: uint16(lo), Hi: uint16(hi)}, nil
}

// parseCacheSize is parseSize where 0 means something.
func parseCacheSize(s string) (int64, error) {
	if s == "0" {
		return 0, nil
	}
	return parseSize(s)
}

// parseSize reads a number of bytes with an optional K, M, G or T (powers of 1024).
func parseSize(s string) (int64, error) {
	digits := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(s), "B"), "I")
	shift := 0
	if n := len(digits); n > 0 {
		if i := strings.IndexByte("KMGT", digits[n-1]); i >= 0 {
			shift, digits = 10*(i+1), digits[:n-1]
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64>>shift {
		return 0, errors.New("write a size as 500M or 2G")
	}
	return n << shift, nil
}

func parseUmask(s string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(s, 8, 32)
	if err != nil || n > 0o777 {
		return 0, errors.New("write a umask in octal digits, as 022")
	}
	return fs.FileMode(n), nil
}

// plainForms tell how to write the values that pflag reads by itself, by their type: it tells it
// in words of Go.
var plainForms = map[string]string{
	"bool": "write true or false", "int": "write a whole number", "uint32": "write a whole number, not less than 0",
	"uint16":   "write a number from 0 to 65535",
	"duration": "write a time with its unit, as 30s or 5m",
}

// cause strips pflag's wording, which repeats name and value.
func cause(err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return err
	}
	if form := plainForms[invalid.GetFlag().Value.Type()]; form != "" {
		return errors.New(form)
	}
	return invalid.Unwrap()
}
