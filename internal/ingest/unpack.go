package ingest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go/compress"
)

// kafka-go unpacks batches for as long as there is something: a few bytes of a
// producer may become gigabytes. Its table of codecs is where a bound can be set,
// for all of the process, as in wire.go.
func init() {
	for i, codec := range compress.Codecs {
		if codec != nil {
			compress.Codecs[i] = boundedCodec{codec, maxUnpacked}
		}
	}
}

// maxUnpacked is how many bytes one batch may unpack to. Of a batch of hundreds of
// MiB the records still go to the quarantine one by one; one of more would take the
// process, and all of its partitions, with it again and again.
const maxUnpacked = 512 << 20

// boundedCodec unpacks no more than that of a batch.
type boundedCodec struct {
	compress.Codec
	most int
}

// NewReader makes a reader that fails where there is too much.
func (c boundedCodec) NewReader(r io.Reader) io.ReadCloser {
	if c.Code() == int8(compress.Snappy) {
		packed, err := io.ReadAll(r) // of one batch, which a fetch bounds
		if err == nil {
			err = checkSnappy(packed, c.most)
		}
		if err != nil {
			return broken{err}
		}
		r = bytes.NewReader(packed)
	}
	return &boundedReader{c.Codec.NewReader(r), c.most, c.most}
}

type boundedReader struct {
	io.ReadCloser
	most, left int
}

// Read reads until there is too much.
func (b *boundedReader) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, fmt.Errorf("it unpacks to more than %d bytes", b.most)
	}
	return n, err
}

// broken is a reader of what cannot be read.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }
func (broken) Close() error               { return nil }

var errSnappy = errors.New("snappy: a length that cannot be")

// xerialMagic is how the framing begins that Java clients put around blocks of
// snappy: 16 bytes, then each block after its length.
var xerialMagic = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const xerialHead = 16

// checkSnappy looks at the lengths that blocks state, for which room is made before
// anything is read. No block becomes more than 22 times its size: three bytes copy at
// most 64 (the format's description, 2.2.2).
func checkSnappy(packed []byte, largest int) error {
	const most = 22
	block := func(b []byte) error {
		if size, n := binary.Uvarint(b); n <= 0 || size > uint64(most*len(b)) || size > uint64(largest) {
			return errSnappy
		}
		return nil
	}
	if len(packed) < xerialHead || !bytes.HasPrefix(packed, xerialMagic) {
		return block(packed)
	}
	for rest := packed[xerialHead:]; len(rest) > 0; {
		if len(rest) < 4 {
			return errSnappy
		}
		size := binary.BigEndian.Uint32(rest)
		if rest = rest[4:]; uint64(size) > uint64(len(rest)) {
			return errSnappy
		}
		if err := block(rest[:size]); err != nil {
			return err
		}
		rest = rest[size:]
	}
	return nil
}
