package ingest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/segmentio/kafka-go/compress"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/andmerada/andmerada/internal/frugaltest"
)

// A batch that unpacks to too much, or says that it does, cannot be read, and takes
// no more memory than the bound. Not parallel: it measures.
func TestBatchesThatBecomeTooMuch(t *testing.T) {
	pack := func(codec compress.Compression, size int) []byte {
		var packed bytes.Buffer
		w := codec.Codec().NewWriter(&packed)
		if _, err := w.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return packed.Bytes()
	}
	const most = 1 << 20
	for _, codec := range []compress.Compression{compress.Gzip, compress.Snappy, compress.Lz4, compress.Zstd} {
		bounded, ok := codec.Codec().(boundedCodec)
		if !ok || bounded.most != maxUnpacked {
			t.Fatalf("%v is not bounded: %+v", codec, codec.Codec())
		}
		bounded.most = most
		for size, want := range map[int]string{most: "", most + 1: "it unpacks to more than 1048576 bytes", 100 * most: "it unpacks to more than 1048576 bytes"} {
			packed, got := pack(codec, size), ""
			r := bounded.NewReader(bytes.NewReader(packed))
			n, err := io.Copy(io.Discard, r)
			if err != nil {
				got = err.Error()
			}
			if got != want || err == nil && n != int64(size) || n > most || r.Close() != nil {
				t.Errorf("%v, %d bytes: %d read, %v", codec, size, n, err)
			}
		}
	}
	read := func(packed []byte) (err error) {
		batch := sealBatch(5, -1, protocol.Attributes(compress.Snappy), 1, packed)
		frugaltest.Run(t, len(packed), 400, 2<<20, func() {
			c := new(chunk)
			c.reset(5)
			c.high = 9
			err = c.wire(batch, 0, 9)
		})
		return err
	}
	huge := binary.AppendUvarint(nil, 1<<31)
	framed := append(append(bytes.Clone(xerialMagic), make([]byte, 8)...), 0x7f, 0xff, 0xff, 0xff)
	for name, packed := range map[string][]byte{
		"a block":         append(bytes.Clone(huge), 1, 2, 3),
		"a frame":         append(bytes.Clone(framed), 1, 2, 3),
		"a block in one":  append(append(bytes.Clone(framed[:xerialHead]), 0, 0, 0, byte(len(huge))), huge...),
		"half a length":   append(bytes.Clone(framed[:xerialHead]), 0, 0),
		"nothing at all":  {},
		"without an end":  {0xff, 0xff, 0xff},
		"more than 22 to": {23 * 3, 0xfe, 1},
	} {
		if err := checkSnappy(packed, maxUnpacked); !errors.Is(err, errSnappy) {
			t.Errorf("%s: %v", name, err)
		}
		if err := read(packed); !errors.Is(err, errUnreadable) {
			t.Errorf("%s, read: %v", name, err)
		}
	}
}
