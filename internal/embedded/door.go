package embedded

import (
	"bufio"
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/ClickHouse/ch-go/proto"
)

// door stands between clients and the engine's native port. The engine ends
// the whole process (std::terminate) if a client's greeting there fails, by a
// wrong password or by a database that isn't there; the same over HTTP does no
// harm. So the door reads the greeting first, refuses as the engine would, and
// passes on what will succeed. After the greeting it copies, and sees to it that
// the engine never meets a client that breaks off.
type door struct {
	listener net.Listener
	engine   string // The engine's native address.
	check    func(ctx context.Context, g greeting) *proto.Exception
	cancel   context.CancelFunc
	workers  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	open   map[net.Conn]struct{}
}

// greeting is what the door looks at of the Hello that a client begins with.
type greeting struct {
	database, user, password string
	revision                 uint64 // of the protocol that the client speaks
}

// Bounds of a greeting: a part's bytes, and the time it may take.
const (
	maxGreetingPart = 4096
	greetingLimit   = 10 * time.Second
)

// serve accepts clients until close.
func (d *door) serve() {
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	d.open = make(map[net.Conn]struct{})
	d.workers.Go(func() {
		for {
			client, err := d.listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				time.Sleep(10 * time.Millisecond) // Out of descriptors, most likely: others may close some.
				continue
			}
			d.workers.Go(func() { d.pass(ctx, client) })
		}
	})
}

// close ends all connections and waits until nothing of the door runs.
func (d *door) close() error {
	d.mu.Lock()
	d.closed = true
	for conn := range d.open {
		_ = conn.Close() // Its copying ends; nothing else to do about it.
	}
	d.mu.Unlock()
	err := d.listener.Close()
	if d.cancel != nil { // It has served.
		d.cancel()
	}
	d.workers.Wait()
	return err
}

// keep notes a connection for close, or closes it if that has been.
func (d *door) keep(conn net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		_ = conn.Close()
		return false
	}
	d.open[conn] = struct{}{}
	return true
}

func (d *door) drop(conn net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, conn)
	_ = conn.Close() // Both sides know already.
}

// pass serves one client to its end. What fails here is the client's or the
// engine's going, which the other side sees as such.
func (d *door) pass(ctx context.Context, client net.Conn) {
	if !d.keep(client) {
		return
	}
	defer d.drop(client)
	if client.SetReadDeadline(time.Now().Add(greetingLimit)) != nil {
		return
	}
	var read bytes.Buffer // All that was read, to be passed on.
	g, err := readGreeting(io.TeeReader(client, &read))
	if err != nil || client.SetReadDeadline(time.Time{}) != nil {
		return
	}
	if refusal := d.check(ctx, g); refusal != nil {
		var answer proto.Buffer
		proto.ServerCodeException.Encode(&answer)
		refusal.EncodeAware(&answer, 0)
		_, _ = client.Write(answer.Buf)
		return
	}
	engine, err := new(net.Dialer).DialContext(ctx, "tcp", d.engine)
	if err != nil || !d.keep(engine) {
		return
	}
	defer d.drop(engine)
	if _, err := engine.Write(read.Bytes()); err != nil {
		return
	}
	d.workers.Go(func() { d.toEngine(engine, client, g.revision) })
	if _, err := io.Copy(client, engine); err != nil {
		// The client has gone in the middle of an answer. The engine must not notice
		// it as a broken connection: its answer is read to the end.
		_, _ = io.Copy(io.Discard, engine)
	}
}

// leave is how long the engine may go on answering a client that has gone.
const leave = time.Minute

// toEngine copies what the client says. A client that has gone, however rudely,
// becomes one that has said good-bye between two packets or within one: the
// engine takes that calmly, while a reset, or an end within the greeting, ends
// the whole process.
func (d *door) toEngine(engine, client net.Conn, revision uint64) {
	n, _ := io.Copy(engine, client)
	if n == 0 {
		_, _ = engine.Write(addendum(revision))
	}
	_ = engine.SetReadDeadline(time.Now().Add(leave))
	if half, ok := engine.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// Revisions of the native protocol since which a client ends its greeting with
// an addendum, and what was added to it.
const (
	revisionAddendum         = 54458 // the quota key
	revisionChunked          = 54470 // how packets are cut, either way
	revisionParallelReplicas = 54471 // a version of a protocol of its own
)

// addendum is what ends a greeting without saying anything.
func addendum(revision uint64) []byte {
	var b proto.Buffer
	if revision >= revisionAddendum {
		b.PutString("")
	}
	if revision >= revisionChunked {
		b.PutString("notchunked")
		b.PutString("notchunked")
	}
	if revision >= revisionParallelReplicas {
		b.PutUVarInt(0)
	}
	return b.Buf
}

// readGreeting reads a client's Hello: its code, name, version (three numbers),
// database, user and password; numbers are LEB128, strings have their length
// before them (ClickHouse's native protocol).
func readGreeting(from io.Reader) (greeting, error) {
	r := bufio.NewReaderSize(from, 1024)
	code, err := binary.ReadUvarint(r)
	if err != nil {
		return greeting{}, err
	}
	if code != uint64(proto.ClientCodeHello) {
		return greeting{}, fmt.Errorf("code %d is not that of a Hello", code)
	}
	var g greeting
	var name string
	for _, part := range []*string{&name, nil, nil, nil, &g.database, &g.user, &g.password} {
		n, err := binary.ReadUvarint(r)
		if err != nil {
			return greeting{}, err
		}
		if part == nil {
			g.revision = n // the last of the three numbers
			continue
		}
		if n > maxGreetingPart {
			return greeting{}, errors.New("a part of the greeting is too long")
		}
		text := make([]byte, n)
		if _, err := io.ReadFull(r, text); err != nil {
			return greeting{}, err
		}
		*part = string(text)
	}
	return g, nil
}

// checkGreeting says whether the engine would take the greeting, and if not,
// what it would answer.
func (c *ClickHouse) checkGreeting(ctx context.Context, g greeting) *proto.Exception {
	password := c.credentials[User(g.user)]
	if password == "" || subtle.ConstantTimeCompare([]byte(password), []byte(g.password)) == 0 {
		return &proto.Exception{
			Code: proto.ErrAuthenticationFailed, Name: "DB::Exception",
			Message: g.user + ": Authentication failed: password is incorrect, or there is no user with such name",
		}
	}
	if g.database == "" || g.database == DatabaseName {
		return nil
	}
	there, err := c.hasDatabase(ctx, User(g.user), g.database)
	switch {
	case err != nil:
		return &proto.Exception{Code: proto.ErrNetworkError, Name: "DB::Exception", Message: "look for the database: " + err.Error()}
	case !there:
		return &proto.Exception{Code: proto.ErrUnknownDatabase, Name: "DB::Exception", Message: "Database " + g.database + " does not exist"}
	}
	return nil
}

// hasDatabase asks the engine over HTTP, where nothing can go wrong: as the user,
// to whom a database that it may do nothing in is not there.
func (c *ClickHouse) hasDatabase(ctx context.Context, user User, name string) (bool, error) {
	query := url.Values{"query": {"SELECT count() FROM system.databases WHERE name = {name:String}"}, "param_name": {name}}
	answer, err := c.get(ctx, user, "/?"+query.Encode())
	return answer == "1\n", err
}

// get sends the engine an HTTP request as a user, and returns what it answers.
func (c *ClickHouse) get(ctx context.Context, user User, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.http+path, http.NoBody)
	if err != nil {
		return "", err
	}
	request.Header.Set("X-ClickHouse-User", string(user))
	request.Header.Set("X-ClickHouse-Key", c.credentials[user])
	request.Close = true // One connection a request: none is left behind.
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", response.Status, text)
	}
	return string(text), nil
}
