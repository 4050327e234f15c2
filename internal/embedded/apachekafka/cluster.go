package apachekafka

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/andmerada/andmerada/internal/embedded/freeport"
	"github.com/andmerada/andmerada/internal/embedded/java"
)

// Cluster is several brokers on loopback, each a process of its own, broker and
// controller in one. With three, topics are held three times and a write is
// acknowledged when two have it: one broker may be away.
type Cluster struct {
	brokers []*broker
}

// StartCluster starts n brokers with empty storage below dir and waits until
// they're ready, for consumer groups too. The caller closes it; the system kills
// the brokers if this process dies.
func StartCluster(ctx context.Context, dir string, n int, options Options) (*Cluster, error) {
	libs, err := fetch()
	if err != nil {
		return nil, fmt.Errorf("apachekafka: %w", err)
	}
	if options.Partitions == 0 {
		options.Partitions = 4
	}
	c, err := prepare(dir, libs, n, options)
	if err != nil {
		return nil, fmt.Errorf("apachekafka: %w", err)
	}
	if err := c.each(func(b *broker) error { return errors.Join(b.format(options.Secure), b.launch()) }); err != nil {
		return nil, fmt.Errorf("apachekafka: %w", errors.Join(err, c.Close()))
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := waitCoordinators(ctx, c.brokers[0].addr); err != nil {
		return nil, fmt.Errorf("apachekafka: %w\n%s", errors.Join(err, c.Close()), c.brokers[0].java.Log())
	}
	return c, nil
}

// prepare chooses ports and writes configurations.
func prepare(dir, libs string, n int, options Options) (*Cluster, error) {
	const each = 4 // Ports of a broker.
	ports, err := freeport.Take(each * n)
	if err != nil {
		return nil, err
	}
	var voters []string
	for i := range n {
		voters = append(voters, fmt.Sprintf("%d@127.0.0.1:%d", i+1, ports[each*i+1]))
	}
	c := new(Cluster)
	for i := range n {
		own := ports[each*i : each*(i+1)]
		b := &broker{libs: libs, dir: filepath.Join(dir, "broker-"+strconv.Itoa(i))}
		if err := os.MkdirAll(b.dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the broker's directory: %w", err)
		}
		b.addr, b.secure = local(own[0]), local(own[2])
		s := settings{
			ID: i + 1, Port: own[0], ControllerPort: own[1], SecurePort: own[2], ProxiedPort: own[3], Voters: strings.Join(voters, ","),
			Partitions: options.Partitions, Replicas: n, InSync: max(1, n-1), Data: b.Data(), Secure: options.Secure,
		}
		if options.Advertise != nil {
			b.proxied = options.Advertise(i, local(own[3]))
			s.Advertised = b.proxied
		}
		if err := b.configure(s); err != nil {
			return nil, err
		}
		c.brokers = append(c.brokers, b)
	}
	return c, nil
}

func local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// settings fill in server.properties.
type settings struct {
	ID, Port, ControllerPort, SecurePort, ProxiedPort int
	Voters, Advertised, Data                          string
	Partitions, Replicas, InSync                      int
	Secure                                            *Secure
}

// each does something with all brokers at once: they wait for each other.
func (c *Cluster) each(do func(*broker) error) error {
	var g errgroup.Group
	for _, b := range c.brokers {
		g.Go(func() error { return do(b) })
	}
	return g.Wait()
}

// Len is how many brokers there are, running or not.
func (c *Cluster) Len() int { return len(c.brokers) }

// Addrs are the brokers' addresses.
func (c *Cluster) Addrs() []string { return c.list(func(b *broker) string { return b.addr }) }

// Proxied are the addresses that [Options.Advertise] gave.
func (c *Cluster) Proxied() []string { return c.list(func(b *broker) string { return b.proxied }) }

func (c *Cluster) list(of func(*broker) string) (all []string) {
	for _, b := range c.brokers {
		all = append(all, of(b))
	}
	return all
}

// Data is the directory of a broker's logs, with one directory for each
// partition that it holds, TOPIC-PARTITION.
func (c *Cluster) Data(i int) string { return c.brokers[i].Data() }

// Kill ends a broker by SIGKILL.
func (c *Cluster) Kill(i int) error { return c.brokers[i].end((*java.Process).Kill) }

// Restart starts a broker that was killed, with the data that it has.
func (c *Cluster) Restart(i int) error { return c.brokers[i].launch() }

// Pause stops a broker where it is (SIGSTOP): connections stay open and nobody
// answers on them.
func (c *Cluster) Pause(i int) error { return c.brokers[i].end((*java.Process).Pause) }

// Resume lets a paused broker go on.
func (c *Cluster) Resume(i int) error { return c.brokers[i].end((*java.Process).Resume) }

// Close ends all brokers. A single one is stopped; of several the last would
// wait for the others, so they are killed: nobody wants their data.
func (c *Cluster) Close() error {
	how := (*java.Process).Stop
	if len(c.brokers) > 1 {
		how = (*java.Process).Kill
	}
	if err := c.each(func(b *broker) error { return b.end(how) }); err != nil {
		return fmt.Errorf("apachekafka: %w", err)
	}
	return nil
}
