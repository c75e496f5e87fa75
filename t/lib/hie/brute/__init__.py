"""FHIR R4 search once more, as slowly and plainly as it can be done: every
criterion is tried on every resource. Written from the specification, for
comparison with what the servers find; it shares nothing with them but the
table of the published search parameters."""
