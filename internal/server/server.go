// Package server answers over HTTP: the questions as an API, and as pages that
// a person can read. Who asks is told by package access; what they may not ask,
// and what cannot be written into the trail first, is not answered.
//
// Identifiers of persons come in the body of a request only. They are never in
// an address, a log line, an error or a page.
package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/danielgtaylor/huma/v2"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/report"
)

const (
	maxBody        = 64 << 10         // bytes of a request
	requestTimeout = 30 * time.Second // for an answer
)

// Config says what is served. Answers is needed.
type Config struct {
	Answers answer.Deps

	Access   *access.Gate     // who asks; nobody may if nil
	Recorder *access.Recorder // where questions go first; none is answered if nil
	// ReasonNeeded says that whoever asks about a person must say why.
	ReasonNeeded bool
	// RevealApproval says that a second person must approve that anybody be told
	// who acted.
	RevealApproval bool

	// Registers gives the registers in use now, where they may change while the
	// server runs; Answers.Registers if nil.
	Registers func() *register.Set

	// Ready says whether what answers need can be reached; Answers.Trail.Ping if nil.
	Ready func(context.Context) error

	// Hosts are the names that the server may be called by. Requests for
	// another are refused, or a web page elsewhere could read answers by giving
	// its own name this machine's address. Loopback only if empty.
	Hosts []string

	// Names are what reports call things by; there are no reports if nil.
	Names *report.Names

	// Describe add to the API's description what is served beside it.
	Describe []func(*huma.OpenAPI)

	// patience is how long a client may take to take a page of a stream;
	// streamSlowly if 0. Tests have less.
	patience time.Duration

	Version string       // of the program
	Logger  *slog.Logger // discards if nil
}

type server struct {
	Config
	log         *slog.Logger
	description *huma.OpenAPI
}

// answers is what a request is answered with: one set of registers for the
// whole of it.
func (s *server) answers() answer.Deps {
	d := s.Answers
	if s.Registers != nil {
		d.Registers = s.Registers()
	}
	return d
}

// noted logs a question.
func (s *server) noted(ctx context.Context, q access.Question, controller string) {
	if !slices.Contains(s.answers().Registers.Controllers(), controller) { // anything else may be an identifier in the wrong place
		controller = ""
	}
	s.log.InfoContext(ctx, "question asked", slog.String("kind", string(q)), slog.String("controller", controller))
}

// New makes the handler of everything.
func New(cfg Config) http.Handler {
	s := &server{Config: cfg, log: cfg.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.Ready == nil {
		s.Ready = cfg.Answers.Trail.Ping
	}
	if s.Access == nil {
		s.Access = new(access.Gate)
	}
	mux := http.NewServeMux()
	s.description = s.api(mux).OpenAPI()
	s.pages(mux)
	s.logins(mux)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := s.Ready(r.Context()); err != nil {
			s.log.WarnContext(r.Context(), "not ready", slog.Any("error", err))
			text(w, http.StatusServiceUnavailable, "the trail cannot be reached\n")
			return
		}
		text(w, http.StatusOK, "ready\n")
	})
	return s.guard(http.NewCrossOriginProtection().Handler(s.identify(s.reports(operations(mux)))))
}

// HTTP makes a server for the handler with bounds on all that a client may do
// slowly.
func HTTP(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: requestTimeout + 15*time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 32 << 10,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

func text(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	if _, err := w.Write([]byte(body)); err != nil {
		return // the client has gone
	}
}

// guard bounds requests, sets the headers that keep answers where they belong,
// and logs each request by its route, never by its address.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-store")
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		r = r.WithContext(ctx)
		limit := int64(maxBody)
		if r.URL.Path == "/v1/answers/recipient" || r.URL.Path == "/recipient" {
			limit = maxReceipts // the recipient's own receipts come with it
		}
		r.Body = http.MaxBytesReader(rec, r.Body, limit)
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler { //nolint:errorlint // a panic's value is not wrapped
					panic(p)
				}
				// Not the value: it may hold what was asked.
				s.log.ErrorContext(ctx, "the program failed at a request: please report this", slog.String("route", r.Pattern))
				switch {
				case rec.wrote:
				case isAPI(r):
					problem(rec, http.StatusInternalServerError, "something went wrong here, and was logged")
				default:
					text(rec, http.StatusInternalServerError, "something went wrong here, and was logged\n")
				}
			}
			s.log.InfoContext(ctx, "request", slog.String("method", r.Method), slog.String("route", r.Pattern),
				slog.Int("status", rec.status), slog.Duration("took", time.Since(began)))
		}()
		if !s.knows(r.Host) {
			text(rec, http.StatusMisdirectedRequest, "this server does not go by that name\n")
			return
		}
		next.ServeHTTP(rec, r)
	})
}

func (s *server) knows(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	name = strings.Trim(name, "[]")
	if slices.Contains(s.Hosts, name) {
		return true
	}
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

// recorder remembers the status for the log.
type recorder struct {
	http.ResponseWriter
	status int
	wrote  bool
}

// WriteHeader remembers the status.
func (r *recorder) WriteHeader(status int) {
	if !r.wrote {
		r.status, r.wrote = status, true
	}
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets a stream set its own deadlines.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Write is an answer without a status of its own.
func (r *recorder) Write(b []byte) (int, error) {
	r.wrote = true
	return r.ResponseWriter.Write(b)
}

// failed says what to tell whoever asked of an error: a fault of the question,
// or, for anything else, nothing but that it was logged.
func (s *server) failed(ctx context.Context, err error) (status int, fault *answer.Fault) {
	denied := new(access.Denied)
	switch {
	case errors.As(err, &denied):
		s.log.WarnContext(ctx, "denied", slog.String("lacks", denied.Lacks))
		return http.StatusForbidden, &answer.Fault{Problem: denied.Lacks, Mend: denied.Mend}
	case errors.Is(err, access.ErrNobody):
		return http.StatusUnauthorized, s.nobody()
	case errors.Is(err, access.ErrNotRecorded):
		s.log.ErrorContext(ctx, "a question was not answered", slog.Any("error", err))
		return http.StatusServiceUnavailable, &answer.Fault{Problem: access.ErrNotRecorded.Error(), Mend: "try again in a minute; the cause is in the server's log"}
	case errors.Is(err, errPending):
		return http.StatusConflict, &answer.Fault{Problem: errPending.Error(), Mend: "have another person with the role dpo approve it"}
	case errors.As(err, &fault):
		return http.StatusUnprocessableEntity, fault
	case errors.Is(err, answer.ErrNotFound):
		return http.StatusNotFound, &answer.Fault{Problem: answer.ErrNotFound.Error(), Mend: "it may be in the quarantine, or not have arrived yet"}
	case errors.Is(err, context.DeadlineExceeded):
		s.log.ErrorContext(ctx, "an answer took too long", slog.Any("error", err))
		return http.StatusGatewayTimeout, &answer.Fault{Problem: "the answer took too long", Mend: "ask for a shorter period"}
	default:
		s.log.ErrorContext(ctx, "an answer failed", slog.Any("error", err))
		return http.StatusInternalServerError, &answer.Fault{Problem: "the trail could not be read", Mend: "the cause is in the server's log"}
	}
}
