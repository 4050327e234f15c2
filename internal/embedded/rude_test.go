package embedded

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go/proto"
)

// Clients that break off, at any moment and by a reset, do the engine no harm:
// by itself it would end the whole process.
func TestClickHouseOutlivesRudeClients(t *testing.T) {
	t.Parallel()
	c := startClickHouse(t, t.TempDir())
	do(t, c.connect(t, Owner), "CREATE TABLE rude (n UInt64) ENGINE = MergeTree ORDER BY n")
	query := func(body string) []byte {
		var b proto.Buffer
		proto.Query{
			Body: body, Stage: proto.StageComplete, Compression: proto.CompressionDisabled,
			Info: proto.ClientInfo{ProtocolVersion: proto.Version, Major: 26, Interface: proto.InterfaceTCP, Query: proto.ClientQueryInitial, ClientName: "rude"},
		}.EncodeAware(&b, proto.Version)
		return b.Buf
	}
	greet := hello(DatabaseName, string(Owner), c.said.Passwords[Owner])
	ends := addendum(proto.Version)
	long := query("SELECT number, toString(number) FROM system.numbers")
	insert := query("INSERT INTO rude VALUES")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	talks := [][][]byte{
		{greet},
		{greet[:len(greet)-3]},
		{greet, ends},
		{greet, ends, long},
		{greet, ends, long[:len(long)/2]},
		{greet, ends, insert},
		{greet, ends, insert, {2, 0, 1}}, // the beginning of a block
	}
	var clients sync.WaitGroup
	limit := make(chan struct{}, 8)
	for range 210 {
		talk, wait, rude := talks[rng.IntN(len(talks))], time.Duration(rng.IntN(8000))*time.Microsecond, rng.IntN(4) > 0
		limit <- struct{}{}
		clients.Go(func() {
			defer func() { <-limit }()
			conn, err := net.Dial("tcp", c.said.Addr)
			if err != nil {
				t.Errorf("the engine is gone: %v", err)
				return
			}
			go func() { _, _ = io.Copy(io.Discard, io.LimitReader(conn, 1<<16)) }()
			for _, part := range talk {
				if _, err := io.Copy(conn, bytes.NewReader(part)); err != nil {
					break
				}
				time.Sleep(wait)
			}
			if rude {
				_ = conn.(*net.TCPConn).SetLinger(0) // Close resets.
			}
			_ = conn.Close()
		})
	}
	clients.Wait()
	if n := number(t, c.connect(t, Reader), "SELECT toUInt64(7)"); n != 7 {
		t.Errorf("it says %d, want 7", n)
	}
	c.close(t)
}
