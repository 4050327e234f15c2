// Package registerexport hands registers on in the forms that others read: as
// JSON-LD in the terms of the W3C Data Privacy Vocabulary ([DPV]), and as the
// record of processing activities that GDPR Art. 30(1) asks for ([ROPA]). It is
// pure: a register goes in, bytes come out.
package registerexport
