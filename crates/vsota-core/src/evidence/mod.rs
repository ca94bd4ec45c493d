//! Pure decoders of the field's files, and the renderers of documents.
extern crate std;
