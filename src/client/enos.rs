//! EnOS APIM: tokens and request signatures.
