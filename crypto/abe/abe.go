// Package abe is Coterie's attribute-based encryption: attributes, policies,
// keys and encapsulations over circl's tkn20.
package abe
