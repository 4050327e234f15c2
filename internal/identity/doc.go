// Package identity turns personal identifiers into keyed pseudonyms, so that
// none is ever stored in clear, and seals what must be kept whole.
//
// All keys are derived (HKDF, RFC 5869) from one secret that the operator
// keeps: one key for each controller, so that what two controllers hold of one
// person cannot be joined, and one for the quarantine. Who loses the secret
// can no longer find anybody in the trail; who leaks it lets others guess
// identifiers. Pseudonymised data are still personal data (GDPR Art. 4(5),
// recital 26).
package identity
