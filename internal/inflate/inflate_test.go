package inflate

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

// std returns what the standard library decompresses.
func std(data []byte) ([]byte, error) { return io.ReadAll(flate.NewReader(bytes.NewReader(data))) }

// same fails unless this package and the standard library decompress data to the same content,
// or both return an error. Before an error they may differ.
func same(t testing.TB, data []byte, r io.Reader) {
	t.Helper()
	want, wantErr := std(data)
	got, err := io.ReadAll(NewReader(r))
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%d bytes: error %v, standard library: %v", len(data), err, wantErr)
	}
	if err == nil && !bytes.Equal(got, want) {
		t.Fatalf("%d bytes: the content differs from that of the standard library", len(data))
	}
	if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("error %v", err)
	}
}

// content returns n bytes, whose matches are as far and as long as the kind permits.
func content(kind string, n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		switch kind {
		case "random":
			b[i] = byte(r.Uint32())
		case "skewed": // codes of all lengths
			b[i] = byte(r.ExpFloat64() * 9)
		case "repeated": // matches with distances from 1, and literals between them
			if d := 1 + r.IntN(1+min(i, 40_000)/(1+r.IntN(5000))); i >= d && r.IntN(90) > 0 {
				b[i] = b[i-d]
			} else {
				b[i] = byte(r.Uint32())
			}
		case "periods":
			b[i] = byte(i % (1 + i>>12&31))
		}
	}
	return b
}

func TestSameAsStandardLibrary(t *testing.T) {
	for _, kind := range []string{"zeros", "random", "skewed", "repeated", "periods"} {
		for _, n := range []int{0, 1, 7, 300, 65_536, 1_000_003} {
			plain := content(kind, n)
			for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
				var b bytes.Buffer
				w, err := flate.NewWriter(&b, level)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = w.Write(plain[:n/3])
				_ = w.Flush() // an empty stored block
				_, _ = w.Write(plain[n/3:])
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				same(t, b.Bytes(), bytes.NewReader(b.Bytes()))
				if n <= 65_536 {
					same(t, b.Bytes(), iotest.OneByteReader(bytes.NewReader(b.Bytes())))
				}
				got, err := io.ReadAll(iotest.OneByteReader(NewReader(iotest.DataErrReader(bytes.NewReader(b.Bytes())))))
				if err != nil || !bytes.Equal(got, plain) {
					t.Fatalf("%s, %d bytes, level %d: %d bytes, %v", kind, n, level, len(got), err)
				}
			}
		}
	}
}

// TestEveryTruncation cuts a file at every byte, which must never be taken for its end.
func TestEveryTruncation(t *testing.T) {
	for _, level := range []int{flate.NoCompression, flate.HuffmanOnly, flate.BestCompression} {
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, level)
		_, _ = w.Write(content("repeated", 5_000))
		_ = w.Close()
		for n := range b.Bytes() {
			if got, err := io.ReadAll(NewReader(bytes.NewReader(b.Bytes()[:n]))); err != io.ErrUnexpectedEOF && err != ErrCorrupt {
				t.Fatalf("level %d, %d of %d bytes: %d bytes, error %v", level, n, b.Len(), len(got), err)
			}
		}
	}
}

// TestDamage changes one byte after the other.
func TestDamage(t *testing.T) {
	for _, level := range []int{flate.NoCompression, flate.HuffmanOnly, flate.BestCompression} {
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, level)
		_, _ = w.Write(content("repeated", 3_000))
		_ = w.Close()
		for i := range b.Bytes() {
			for _, x := range []byte{1, 0x10, 0x80, 0xff} {
				data := bytes.Clone(b.Bytes())
				data[i] ^= x
				same(t, data, bytes.NewReader(data))
			}
		}
	}
}

func TestErrorOfInput(t *testing.T) {
	failed := errors.New("failed")
	if _, err := io.ReadAll(NewReader(iotest.ErrReader(failed))); err != failed {
		t.Error(err)
	}
}

// TestReset reads files by one reader, after an error too.
func TestReset(t *testing.T) {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 6)
	plain := content("skewed", 300_000)
	_, _ = w.Write(plain)
	_ = w.Close()
	f := NewReader(bytes.NewReader(nil))
	for range 3 {
		f.Reset(bytes.NewReader(b.Bytes()[:b.Len()/2]))
		if _, err := io.ReadAll(f); err != io.ErrUnexpectedEOF {
			t.Fatal(err)
		}
		f.Reset(bytes.NewReader(b.Bytes()))
		if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, plain) {
			t.Fatal(len(got), err)
		}
	}
}

func FuzzSameAsStandardLibrary(f *testing.F) {
	for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, level)
		_, _ = w.Write(content("repeated", 500))
		_ = w.Close()
		f.Add(b.Bytes())
	}
	f.Add([]byte{0x03, 0x00})       // a fixed block without content
	f.Add([]byte{0xff, 0xff, 0xff}) // an invalid kind of block
	f.Fuzz(func(t *testing.T, data []byte) {
		same(t, data, bytes.NewReader(data))
		same(t, data, iotest.HalfReader(bytes.NewReader(data)))
	})
}

func BenchmarkRead(b *testing.B) {
	for _, kind := range []string{"skewed", "repeated"} {
		plain := content(kind, 16<<20)
		var compressed bytes.Buffer
		w, _ := flate.NewWriter(&compressed, 6)
		_, _ = w.Write(plain)
		_ = w.Close()
		buf := make([]byte, 256<<10)
		read := func(b *testing.B, r io.Reader) {
			if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, buf); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(kind+"/this", func(b *testing.B) {
			b.SetBytes(int64(len(plain)))
			f := NewReader(nil)
			for b.Loop() {
				f.Reset(bytes.NewReader(compressed.Bytes()))
				read(b, f)
			}
		})
		b.Run(kind+"/standard", func(b *testing.B) {
			b.SetBytes(int64(len(plain)))
			f := flate.NewReader(nil)
			for b.Loop() {
				_ = f.(flate.Resetter).Reset(bytes.NewReader(compressed.Bytes()), nil)
				read(b, f)
			}
		})
	}
}
