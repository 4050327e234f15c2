// Package access says who may ask what of the trail, and has each question
// written into the trail before it is answered.
//
// A [Gate] tells who a request comes from: by a session that began with a login
// (OpenID Connect), by a token of that provider, or by a local token. [Allow]
// holds the principal against one table of roles and questions; what does not
// stand there is denied. A [Recorder] makes each question an event, as reading
// the trail is processing too (GDPR Art. 4(2), 5(2)).
package access
