package chaos

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// proxy passes TCP connections on to a server, and does harm to them as told.
// The whole of a fault is in what a client and a server see of each other:
// neither knows of it.
type proxy struct {
	listener net.Listener
	read     func(client *bufio.Reader) ([]byte, error) // what is looked at, and passed on, at once

	mu     sync.Mutex
	change *sync.Cond // of anything below
	to     string
	refuse bool // connections are closed at once
	frozen bool // nothing is passed on, either way: a black hole
	rate   int  // bytes a second, either way; 0 = no limit
	links  []*link
	traps  []*trap
}

// link is one connection through the proxy.
type link struct {
	proxy          *proxy
	client, server net.Conn
	tail           []byte // the end of what the client sent last, as a request may be cut anywhere
	held           bool   // by a trap
	broken         bool
	caught         *trap // whose request is on its way
	after          int   // bytes that the client has sent since that request began
	answer         bool  // what the server says next is held
}

// trap waits for a request, counted over all connections, and then holds its
// connection, so that nothing more is passed on either way, and calls do.
type trap struct {
	request []byte                  // of the client's
	match   func(chunk []byte) bool // further condition; nil = none
	nth     int                     // from 0
	pass    int                     // so many bytes from the request's beginning are passed on before it is held
	answer  bool                    // the request is passed on whole, and its answer held once the client has sent more than pass bytes
	do      func(l *link)           // called once, in a goroutine of its own

	seen   int
	sprung chan struct{} // closed when it has caught
}

func newProxy(t testing.TB, to string) *proxy {
	t.Helper()
	p, err := startProxy(to, whatComes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p
}

func startProxy(to string, read func(*bufio.Reader) ([]byte, error)) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: l, read: read, to: to}
	p.change = sync.NewCond(&p.mu)
	go p.accept()
	return p, nil
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		to, refuse := p.to, p.refuse
		p.mu.Unlock()
		if refuse {
			reset(client)
			continue
		}
		server, err := net.Dial("tcp", to)
		if err != nil {
			reset(client)
			continue
		}
		l := &link{proxy: p, client: client, server: server}
		p.mu.Lock()
		p.links = append(p.links, l)
		p.mu.Unlock()
		go l.copy(client, server, p.read, l.fromClient)
		go l.copy(server, client, whatComes, l.fromServer)
	}
}

// whatComes reads what there is, wherever it may end.
func whatComes(from *bufio.Reader) ([]byte, error) {
	if _, err := from.Peek(1); err != nil {
		return nil, err
	}
	chunk := make([]byte, from.Buffered())
	_, err := io.ReadFull(from, chunk)
	return chunk, err
}

// kafkaRequest reads one request to Kafka, which begins with the length of the
// rest. Two that are sent at nearly the same time, as a heartbeat and a commit,
// come together: a trap for the second would not see where it begins.
func kafkaRequest(from *bufio.Reader) ([]byte, error) {
	const length = 4
	head, err := from.Peek(length)
	if err != nil {
		return nil, err
	}
	request := make([]byte, length+binary.BigEndian.Uint32(head))
	n, err := io.ReadFull(from, request) // of a client that dies meanwhile, what it sent and no more
	return request[:n], err
}

// reset closes a connection so that the other side sees it broken, not ended.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// copy passes on what pass lets through, at the proxy's rate.
func (l *link) copy(from, to net.Conn, read func(*bufio.Reader) ([]byte, error), pass func([]byte) []byte) {
	defer l.cut()
	reader := bufio.NewReaderSize(from, 64<<10)
	for {
		rest, err := read(reader)
		for len(rest) > 0 {
			piece, wait := l.proxy.pace(rest)
			rest = rest[len(piece):]
			if piece = pass(piece); piece == nil {
				return
			}
			if _, err := to.Write(piece); err != nil {
				return
			}
			time.Sleep(wait)
		}
		if err != nil {
			return
		}
	}
}

// pace is how much may be passed on now, and how long to wait then.
func (p *proxy) pace(b []byte) (piece []byte, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rate == 0 {
		return b, 0
	}
	const steps = 20 // a second
	return b[:min(len(b), max(1, p.rate/steps))], time.Second / steps
}

// fromClient looks at what the client says, and returns it when it may go on;
// nil if the connection is broken.
func (l *link) fromClient(chunk []byte) []byte {
	p := l.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	if !l.wait() {
		return nil
	}
	text := slices.Concat(l.tail, chunk)
	if l.caught != nil {
		l.after += len(chunk)
	}
	for _, t := range p.traps {
		from := max(0, len(l.tail)-len(t.request)+1) // what ends in the tail was seen before
		at := bytes.Index(text[from:], t.request)
		if at < 0 || t.match != nil && !t.match(chunk) {
			continue
		}
		at += from
		if t.seen++; t.seen != t.nth+1 {
			continue
		}
		l.caught, l.after = t, len(text)-at
		break
	}
	const longest = 128
	l.tail = slices.Clone(text[max(0, len(text)-longest):])
	t := l.caught
	if t == nil || l.after <= t.pass {
		return chunk
	}
	if t.answer {
		l.answer = true
		return chunk
	}
	// Hold it here, with as much passed on as the trap says.
	l.caught = nil
	if first := len(chunk) - (l.after - t.pass); first > 0 {
		_, _ = l.server.Write(chunk[:first])
		chunk = chunk[first:]
	}
	l.spring(t)
	if !l.wait() {
		return nil
	}
	return chunk
}

// fromServer is the same for what the server says.
func (l *link) fromServer(chunk []byte) []byte {
	p := l.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.answer && l.caught != nil {
		t := l.caught
		l.caught, l.answer = nil, false
		l.spring(t)
	}
	if !l.wait() {
		return nil
	}
	return chunk
}

// spring holds the link and tells the trap's owner. The proxy is locked.
func (l *link) spring(t *trap) {
	l.held = true
	close(t.sprung)
	if t.do != nil {
		go t.do(l)
	}
}

// wait waits until the link may pass something on. The proxy is locked. It says
// false if the link is broken.
func (l *link) wait() bool {
	for (l.held || l.proxy.frozen) && !l.broken {
		l.proxy.change.Wait()
	}
	return !l.broken
}

// cut breaks the connection, on both sides.
func (l *link) cut() {
	p := l.proxy
	p.mu.Lock()
	l.broken = true
	p.links = slices.DeleteFunc(p.links, func(o *link) bool { return o == l })
	p.change.Broadcast()
	p.mu.Unlock()
	reset(l.client)
	reset(l.server)
}

// free lets a held link go on.
func (l *link) free() { l.proxy.set(func() { l.held = false }) }

// set changes what the proxy does.
func (p *proxy) set(change func()) {
	p.mu.Lock()
	change()
	p.change.Broadcast()
	p.mu.Unlock()
}

// lay lays a trap.
func (p *proxy) lay(t *trap) <-chan struct{} {
	t.sprung = make(chan struct{})
	p.set(func() { p.traps = append(p.traps, t) })
	return t.sprung
}

// cut breaks all connections that there are.
func (p *proxy) cut() {
	p.mu.Lock()
	links := slices.Clone(p.links)
	p.mu.Unlock()
	for _, l := range links {
		l.cut()
	}
}

// down breaks all connections and takes no new ones, until up.
func (p *proxy) down() {
	p.set(func() { p.refuse = true })
	p.cut()
}

func (p *proxy) up() { p.set(func() { p.refuse = false }) }

func (p *proxy) freeze(frozen bool) { p.set(func() { p.frozen = frozen }) }

func (p *proxy) limit(bytesPerSecond int) { p.set(func() { p.rate = bytesPerSecond }) }

func (p *proxy) close() {
	_ = p.listener.Close()
	p.set(func() { p.refuse = true })
	p.cut()
}
