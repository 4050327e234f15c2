package findings

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// SignatureHeader holds "t=<Unix seconds>,v1=<hexadecimal HMAC-SHA256>" of
// "<Unix seconds>.<body>" under the secret that both ends share, so that the
// receiver can tell who sent it, and refuse what is old.
const SignatureHeader = "Andmerada-Signature"

// Webhook is an address that findings are posted to, one a request, as
// structured CloudEvents (application/cloudevents+json).
type Webhook struct {
	URL    string
	Secret []byte
	Logger *slog.Logger

	Client *http.Client                               // one with a time limit of ten seconds if nil
	Tries  int                                        // of one finding before the whole is put off, 5 if 0
	Sleep  func(context.Context, time.Duration) error // for tests
	Now    func() time.Time                           // time.Now if nil
}

// minSecret is how long a secret has to be at least, in bytes.
const minSecret = 16

// NewWebhook checks the address and the secret.
func NewWebhook(address string, secret []byte, log *slog.Logger) (*Webhook, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("findings: the webhook's address must begin with https:// or http://")
	}
	if u.User != nil {
		return nil, errors.New("findings: the webhook's address must hold no password: requests are signed")
	}
	if len(secret) < minSecret {
		return nil, fmt.Errorf("findings: the webhook's secret has %d bytes, at least %d are needed", len(secret), minSecret)
	}
	return &Webhook{URL: address, Secret: secret, Logger: log}, nil
}

// Name is "webhook" and a hash of the address, which may be a secret in itself.
func (w *Webhook) Name() string {
	sum := sha256.Sum256([]byte(w.URL))
	return "webhook " + hex.EncodeToString(sum[:4])
}

// Publish posts the messages one after the other. What the receiver will never
// take (a status of 4xx that asks for no patience) is named in the log and left
// out: one finding must not hold up those behind it.
func (w *Webhook) Publish(ctx context.Context, messages []Message) error {
	for i := range messages {
		if err := w.deliver(ctx, &messages[i]); err != nil {
			return err
		}
	}
	return nil
}

func (w *Webhook) deliver(ctx context.Context, m *Message) error {
	body, err := json.Marshal(m.Event)
	if err != nil {
		return fmt.Errorf("write a finding: %w", err)
	}
	tries := w.Tries
	if tries == 0 {
		tries = 5
	}
	for try := 1; ; try++ {
		status, after, err := w.post(ctx, body)
		switch {
		case err == nil && status < 300:
			return nil
		case err == nil && status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooEarly && status != http.StatusTooManyRequests:
			w.Logger.ErrorContext(ctx, "the webhook refuses a finding, which is left out", slog.Int("status", status), slog.String("id", m.Event.ID()))
			return nil
		case err == nil:
			err = fmt.Errorf("the webhook answered with status %d", status)
		}
		if try == tries || ctx.Err() != nil {
			return err
		}
		// Between half of it and the whole, so that many do not come back together.
		wait := min(time.Second<<(try-1), 30*time.Second)
		wait = wait/2 + rand.N(wait/2)
		if err := w.sleep(ctx, max(wait, min(after, time.Minute))); err != nil {
			return err
		}
	}
}

// post sends one request, and says for how long the receiver asks to be spared.
func (w *Webhook) post(ctx context.Context, body []byte) (status int, after time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return 0, 0, errors.New("post to the webhook: its address cannot be used")
	}
	now := time.Now
	if w.Now != nil {
		now = w.Now
	}
	req.Header.Set("Content-Type", "application/cloudevents+json; charset=utf-8")
	req.Header.Set(SignatureHeader, Signature(w.Secret, now(), body))
	client := w.Client
	if client == nil {
		client = patient
	}
	resp, err := client.Do(req)
	if err != nil {
		var withURL *url.Error
		if errors.As(err, &withURL) {
			err = withURL.Err // without the address
		}
		return 0, 0, fmt.Errorf("post to the webhook: %w", err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)); err != nil {
		return 0, 0, fmt.Errorf("read the webhook's answer: %w", err)
	}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		after = time.Duration(s) * time.Second
	}
	return resp.StatusCode, after, nil
}

// patient follows no redirect: what is signed goes where it was meant to.
var patient = &http.Client{
	Timeout:       10 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func (w *Webhook) sleep(ctx context.Context, d time.Duration) error {
	if w.Sleep != nil {
		return w.Sleep(ctx, d)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// Signature is the value of [SignatureHeader] for a body sent at that time.
func Signature(secret []byte, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(t))
	mac.Write([]byte{'.'})
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
