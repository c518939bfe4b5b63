//go:build v9

package main

import (
	elasticsearch "github.com/elastic/go-elasticsearch/v9"
	"github.com/elastic/go-elasticsearch/v9/typedapi/types"
)

const major = "9"

type (
	config      = elasticsearch.Config
	client      = elasticsearch.TypedClient
	clientError = types.ElasticsearchError
)

var newClient = elasticsearch.NewTypedClient
