package ingest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go/protocol"
	fetchapi "github.com/segmentio/kafka-go/protocol/fetch"
)

// kafka-go unpacks what a broker answers in a goroutine of its own, and panics
// where a batch says of itself what cannot be: one flipped bit in a length, which
// no checksum covers, would end the process and, as the bit is still there after
// a restart, ingest as a whole. The type of an answer is the one place where we
// can stand between. So the answers to fetches are fetchResponses for all of the
// process, [kafka.Client.Fetch] of which is then of no use.
func init() { protocol.Register(&fetchapi.Request{}, &fetchResponse{}) }

// fetchResponse is [fetchapi.Response] with a recordSet.
type fetchResponse struct {
	ThrottleTimeMs int32        `kafka:"min=v1,max=v11"`
	ErrorCode      int16        `kafka:"min=v7,max=v11"`
	SessionID      int32        `kafka:"min=v7,max=v11"`
	Topics         []fetchTopic `kafka:"min=v0,max=v11"`
}

// ApiKey is that of fetch.
func (*fetchResponse) ApiKey() protocol.ApiKey { return protocol.Fetch }

type fetchTopic struct {
	Topic      string           `kafka:"min=v0,max=v11"`
	Partitions []fetchPartition `kafka:"min=v0,max=v11"`
}

type fetchPartition struct {
	Partition            int32                          `kafka:"min=v0,max=v11"`
	ErrorCode            int16                          `kafka:"min=v0,max=v11"`
	HighWatermark        int64                          `kafka:"min=v0,max=v11"`
	LastStableOffset     int64                          `kafka:"min=v4,max=v11"`
	LogStartOffset       int64                          `kafka:"min=v5,max=v11"`
	AbortedTransactions  []fetchapi.ResponseTransaction `kafka:"min=v4,max=v11"`
	PreferredReadReplica int32                          `kafka:"min=v11,max=v11"`
	RecordSet            recordSet                      `kafka:"min=v0,max=v11"`
}

// recordSet is the batches that a broker answers with, up to the first that
// cannot be read.
type recordSet struct {
	batches []protocol.RecordReader
	failed  error // why the first cannot be read; nil where there are batches, or nothing at all
}

// What stands at the beginning of a batch: where it begins in the log, how many
// bytes follow, and the least that do (Kafka protocol: up to the number of records
// in version 2, an empty message in the versions before).
const (
	batchHead  = 12
	batchLeast = 14
)

// ReadFrom reads the batches one by one, so that one that is broken takes none
// with it. Of the last there may be a part only: it is left for the next fetch.
// The error is of the connection alone.
func (s *recordSet) ReadFrom(r io.Reader) (int64, error) {
	*s = recordSet{}
	var head [4 + batchHead]byte // with the size before it that a set of this one batch has
	if _, err := io.ReadFull(r, head[:4]); err != nil {
		return 0, err
	}
	size := int64(int32(binary.BigEndian.Uint32(head[:4])))
	rest := io.LimitedReader{R: r, N: max(0, size)}
	for rest.N >= batchHead+batchLeast {
		if _, err := io.ReadFull(&rest, head[4:]); err != nil {
			return 0, err
		}
		follow := int64(int32(binary.BigEndian.Uint32(head[4+8:])))
		if follow > rest.N {
			break // a part of one
		}
		if follow < batchLeast {
			s.fail(fmt.Errorf("%w: a batch says that %d bytes follow", errUnreadable, follow))
			break
		}
		binary.BigEndian.PutUint32(head[:], uint32(batchHead+follow))
		batch := io.LimitedReader{R: &rest, N: follow}
		read, err := readBatch(io.MultiReader(bytes.NewReader(head[:]), &batch))
		if err != nil {
			s.fail(err)
			break
		}
		s.batches = append(s.batches, read...)
	}
	if _, err := io.Copy(io.Discard, &rest); err != nil {
		return 0, err
	}
	if rest.N > 0 {
		return 0, io.ErrUnexpectedEOF
	}
	return 4 + max(0, size), nil
}

// fail notes why the next batch cannot be read. What stands before it is taken
// first; then it comes again, and alone.
func (s *recordSet) fail(err error) {
	if len(s.batches) == 0 {
		s.failed = err
	}
}

// readBatch reads a set of one batch. What it is of may be anything.
func readBatch(r io.Reader) (batches []protocol.RecordReader, err error) {
	defer func() {
		if p := recover(); p != nil {
			batches, err = nil, fmt.Errorf("%w: a batch that what unpacks it fails at", errUnreadable)
		}
	}()
	var set protocol.RecordSet
	if _, err := set.ReadFrom(r); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	stream, ok := set.Records.(*protocol.RecordStream)
	if !ok || len(stream.Records) == 0 {
		return nil, fmt.Errorf("%w: a batch without an end", errUnreadable)
	}
	return stream.Records, nil
}

// Fetched are the records that a broker answers a fetch of one partition with; nil if
// there are none. It is for those who send the request themselves.
func Fetched(answer protocol.Message) (protocol.RecordReader, error) {
	res, ok := answer.(*fetchResponse)
	if !ok || len(res.Topics) != 1 || len(res.Topics[0].Partitions) != 1 || res.Topics[0].Partitions[0].ErrorCode != 0 {
		return nil, fmt.Errorf("%w: the answer is not about one partition alone", errUnreadable)
	}
	set := &res.Topics[0].Partitions[0].RecordSet
	if set.failed != nil || len(set.batches) == 0 {
		return nil, set.failed
	}
	return &protocol.RecordStream{Records: set.batches}, nil
}
