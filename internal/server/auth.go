package server

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

// open are the paths that anybody may call: they say nothing of the trail.
var open = []string{"/healthz", "/readyz", "/login", access.CallbackPath, "/logout", "/api", "/openapi.yaml", "/openapi.json", "/openapi-3.0.yaml", "/openapi-3.0.json"}

func isOpen(path string) bool {
	return slices.Contains(open, path) || strings.HasPrefix(path, "/assets/")
}

// identify lets nobody by of whom it is not known who they are. What they may
// ask is decided question by question, in ask.
func (s *server) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isOpen(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		who, err := s.Access.Who(w, r)
		if err != nil {
			s.turnAway(w, r, err)
			return
		}
		ctx := access.With(r.Context(), who)
		if isAPI(r) {
			ctx = withReason(ctx, r.Header.Get(reasonHeader))
		}
		inner := r.WithContext(ctx)
		defer func() { r.Pattern = inner.Pattern }() // for the log
		next.ServeHTTP(w, inner)
	})
}

func isAPI(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/v1/") }

// turnAway tells a program what is missing, and sends a person to log in.
func (s *server) turnAway(w http.ResponseWriter, r *http.Request, err error) {
	shown := len(r.Header.Values("Authorization")) > 0
	if !errors.Is(err, access.ErrNobody) {
		s.log.ErrorContext(r.Context(), "it cannot be told who asks", slog.Any("error", err))
		s.refuse(w, r, http.StatusServiceUnavailable, &answer.Fault{Problem: "it cannot be told now who you are", Mend: "try again in a minute"})
		return
	}
	s.log.WarnContext(r.Context(), "turned away", slog.Bool("credentials", shown), slog.Any("error", err))
	if s.Access.Logins() && !isAPI(r) && !shown && r.Method == http.MethodGet {
		// The path only: a query may hold what does not belong into an address.
		http.Redirect(w, r, "/login?back="+r.URL.EscapedPath(), http.StatusSeeOther)
		return
	}
	challenge := `Bearer realm="andmerada"`
	if shown {
		challenge += `, error="invalid_token"`
	}
	w.Header().Set("WWW-Authenticate", challenge)
	s.refuse(w, r, http.StatusUnauthorized, s.nobody())
}

func (s *server) nobody() *answer.Fault {
	f := &answer.Fault{Problem: "it is not known who asks"}
	switch {
	case s.Access.Logins():
		f.Mend = "log in at /login, or send a token that is good now: Authorization: Bearer …"
	default:
		f.Mend = "send a token that is good now: Authorization: Bearer …"
	}
	return f
}

// refuse answers outside of any operation, in the form that fits.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, status int, f *answer.Fault) {
	if !isAPI(r) {
		s.fault(w, r, status, f)
		return
	}
	problem(w, status, f.Error())
}

// logins adds the pages of logging in and out.
func (s *server) logins(mux *http.ServeMux) {
	failed := func(w http.ResponseWriter, r *http.Request, err error) {
		s.log.WarnContext(r.Context(), "a login did not succeed", slog.Any("error", err))
		status, mend := http.StatusUnauthorized, "begin again on the overview, or ask whoever gives out the roles"
		if !errors.Is(err, access.ErrNobody) {
			status, mend = http.StatusServiceUnavailable, "try again in a minute"
		}
		s.fault(w, r, status, &answer.Fault{Problem: "The login did not succeed", Mend: mend})
	}
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		to, err := s.Access.Login(w, r, r.URL.Query().Get("back"))
		if err != nil {
			failed(w, r, err)
			return
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	})
	mux.HandleFunc("GET "+access.CallbackPath, func(w http.ResponseWriter, r *http.Request) {
		back, err := s.Access.Callback(w, r)
		if err != nil {
			failed(w, r, err)
			return
		}
		http.Redirect(w, r, back, http.StatusSeeOther)
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		s.Access.Logout(w, r)
		s.fault(w, r, http.StatusOK, &answer.Fault{Problem: "You have logged out here", Mend: "log out at your login provider too, if others use this browser"})
	})
}

// security says in the API's description how to show who one is.
func security(api huma.API) {
	d := api.OpenAPI()
	if d.Components.SecuritySchemes == nil {
		d.Components.SecuritySchemes = make(map[string]*huma.SecurityScheme)
	}
	d.Components.SecuritySchemes["token"] = &huma.SecurityScheme{
		Type: "http", Scheme: "bearer",
		Description: "A local token (andmerada access token new), or an access token of the OpenID provider that the server is set up with, for its audience.",
	}
	d.Security = []map[string][]string{{"token": {}}}
}
