//go:build v8

package main

import (
	elasticsearch "github.com/elastic/go-elasticsearch/v8"
	"github.com/elastic/go-elasticsearch/v8/typedapi/types"
)

const major = "8"

type (
	config      = elasticsearch.Config
	client      = elasticsearch.TypedClient
	clientError = types.ElasticsearchError
)

var newClient = elasticsearch.NewTypedClient
