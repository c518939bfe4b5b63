// An application with one transaction.
package main

import "go.elastic.co/apm/v2"

func main() {
	tracer := apm.DefaultTracer()
	tracer.StartTransaction("one transaction", "request").End()
	tracer.Flush(nil)
}
