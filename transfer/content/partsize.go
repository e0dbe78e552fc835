package content

// DefaultPartSize is the size of the parts in which a blob is uploaded or read where nobody
// proposes another, in bytes. Targets have limits of their own.
const DefaultPartSize = 10 << 20
