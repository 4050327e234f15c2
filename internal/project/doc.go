// Package project holds tests about the project itself: that imports point one
// way, that everything is documented, that the documentation says what is so,
// and that the files for running it on real servers fit together. It has no
// code of its own.
package project
