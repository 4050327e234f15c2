package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/emit"
)

// accessConfig says who may come to the web server.
type accessConfig struct {
	Open   bool        `yaml:"open,omitempty"`   // nobody logs in: whoever reaches the server asks as dpo
	Tokens string      `yaml:"tokens,omitempty"` // file of local tokens
	OIDC   *oidcConfig `yaml:"oidc,omitempty"`
}

// oidcConfig is the OpenID provider that people log in with.
type oidcConfig struct {
	Issuer           string              `yaml:"issuer"`
	ClientID         string              `yaml:"client_id"`
	ClientSecretFile string              `yaml:"client_secret_file,omitempty"`
	RedirectURL      string              `yaml:"redirect_url"`
	Scopes           []string            `yaml:"scopes,omitempty"`
	Audience         string              `yaml:"audience,omitempty"`
	Algorithms       []string            `yaml:"algorithms,omitempty"`
	IDClaim          string              `yaml:"id_claim,omitempty"`
	GroupsClaim      string              `yaml:"groups_claim,omitempty"`
	Grants           []access.GroupGrant `yaml:"grants,omitempty"`
	Self             *access.SelfGrant   `yaml:"self,omitempty"`
}

// askingConfig says how questions are recorded.
type askingConfig struct {
	Unrecorded   bool `yaml:"unrecorded,omitempty"`    // questions are not written into the trail
	ReasonNeeded bool `yaml:"reason_needed,omitempty"` // whoever asks about a person must say why
	// RevealApproval wants another person's approval before anybody is told who acted.
	RevealApproval bool   `yaml:"reveal_approval,omitempty"`
	Role           string `yaml:"role,omitempty"` // of whoever asks at the command line; dpo if empty
}

// accessFiles are the names of files that the sections name.
func (c *config) accessFiles() (names []*string) {
	if c.Access == nil {
		return nil
	}
	names = append(names, &c.Access.Tokens)
	if c.Access.OIDC != nil {
		names = append(names, &c.Access.OIDC.ClientSecretFile)
	}
	return names
}

func (c *config) checkAccess() error {
	if a := c.Access; a != nil {
		switch {
		case a.Open && (a.Tokens != "" || a.OIDC != nil):
			return errors.New("access.open lets everybody in, whatever tokens and oidc say: remove one or the other")
		case !a.Open && a.Tokens == "" && a.OIDC == nil:
			return errors.New("access lets nobody in: give tokens, oidc, or open: true")
		}
	}
	if c.Asking.Role != "" {
		if _, err := access.ParseRole(c.Asking.Role); err != nil {
			return fmt.Errorf("asking.role: %w", err)
		}
	}
	return nil
}

// gate is who may come to the server at an address.
func (n *node) gate(at net.Addr) (*access.Gate, error) {
	a := n.config.Access
	if a == nil {
		if err := access.CheckOpen(at.String()); err != nil {
			return nil, fmt.Errorf("%w. Say in the configuration who may ask (access: tokens, or oidc; see docs/access.md), or listen at 127.0.0.1. "+
				"Where something in front of it lets in only those who may ask everything, say access: {open: true}", err)
		}
		return &access.Gate{Open: access.Open()}, nil
	}
	g := &access.Gate{}
	if a.Open {
		n.log.Warn("nobody has to log in: whoever reaches this server may ask everything", slog.String("address", at.String()))
		g.Open = access.Open()
	}
	if a.Tokens != "" {
		var err error
		if g.Tokens, err = access.OpenTokens(a.Tokens, n.log, time.Now); err != nil {
			return nil, err
		}
	}
	if a.OIDC == nil {
		return g, nil
	}
	secret, err := readPassword("the OpenID provider", a.OIDC.ClientSecretFile, "ANDMERADA_OIDC_SECRET")
	if err != nil {
		return nil, err
	}
	o := a.OIDC
	g.OIDC, err = access.NewOIDC(access.OIDCConfig{
		Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: secret, RedirectURL: o.RedirectURL, Scopes: o.Scopes, Audience: o.Audience, Algorithms: o.Algorithms,
		IDClaim: o.IDClaim, GroupsClaim: o.GroupsClaim, Grants: o.Grants, Self: o.Self, Pseudonym: n.keys.Pseudonym,
	})
	if err != nil {
		return nil, err
	}
	if u, err := url.Parse(o.RedirectURL); err == nil {
		n.hosts = append(n.hosts, u.Hostname())
	}
	return g, nil
}

// recorder writes questions into the trail, by way of Kafka as all events.
func (c *config) recorder() (r *access.Recorder, closeIt func() error, err error) {
	if c.Asking.Unrecorded {
		return access.NewRecorder(nil), func() error { return nil }, nil
	}
	brokers, err := c.kafka()
	if err != nil {
		return nil, nil, err
	}
	w, err := emit.New(emit.Config{Brokers: c.Kafka.Brokers, Topic: c.Kafka.Topic, Transport: brokers, Linger: time.Millisecond})
	if err != nil {
		return nil, nil, err
	}
	return access.NewRecorder(w), func() error {
		defer brokers.CloseIdleConnections()
		return w.Close()
	}, nil
}
