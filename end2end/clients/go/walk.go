// Walks Elastic's client for Go through everything this product needs.
//
// Prints the name of each station when it is behind it, and stops at the first
// thing that is not as it should be. Requests are JSON, because the types of
// requests differ between majors; answers are read into the client's own types.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
)

type object = map[string]any

var (
	ctx      = context.Background()
	compress = os.Getenv("COMPRESS") == "true"

	applications = []object{{"application": "apm", "privileges": []string{"event:write"}, "resources": []string{"*"}}}
	descriptors  = object{"apm": object{"cluster": []string{}, "indices": []string{}, "applications": applications}}
	metadata     = object{"application": "apm", "team": "payments"}
)

func main() {
	elastic := connect(config{Username: "elastic", Password: os.Getenv("ELASTIC_PASSWORD")})
	security := elastic.Security

	check("ping", must(elastic.Ping().IsSuccess(ctx)), true)
	check("tagline", must(elastic.Info().Do(ctx)).Tagline, "You Know, for Search")
	check("health", must(elastic.Cluster.Health().Do(ctx)).TimedOut, false)
	check("user name", must(security.Authenticate().Do(ctx)).Username, "elastic")
	fmt.Println("info")

	name := "go client " + major + " " + fmt.Sprint(compress)
	key := must(security.CreateApiKey().Raw(body(object{
		"name": name, "expiration": "1d", "role_descriptors": descriptors, "metadata": metadata,
	})).Do(ctx))
	check("encoded", string(must(base64.StdEncoding.DecodeString(key.Encoded))), key.Id+":"+key.ApiKey)
	got := must(security.GetApiKey().Id(key.Id).WithLimitedBy(true).Do(ctx)).ApiKeys
	check("keys of one id", len(got), 1)
	check("name", got[0].Name, name)
	check("invalidated", got[0].Invalidated, false)
	check("team", string(got[0].Metadata["team"]), `"payments"`)
	for range 4 {
		must(security.CreateApiKey().Raw(body(object{"name": name, "role_descriptors": descriptors, "metadata": metadata})).Do(ctx))
	}
	query := object{
		"query": object{"bool": object{"filter": []object{{"term": object{"name": name}}}}},
		"sort":  []any{object{"creation": object{"order": "asc"}}, "name"},
		"size":  3,
	}
	page := must(security.QueryApiKeys().Raw(body(query)).Do(ctx))
	check("total", page.Total, 5)
	check("count", page.Count, 3)
	query["search_after"] = page.ApiKeys[2].Sort_
	check("total of page 2", must(security.QueryApiKeys().Raw(body(query)).Do(ctx)).Total, 5)
	update := object{"metadata": object{"application": "apm"}}
	check("updated", must(security.UpdateApiKey(key.Id).Raw(body(update)).Do(ctx)).Updated, true)
	check("updated again", must(security.UpdateApiKey(key.Id).Raw(body(update)).Do(ctx)).Updated, false)
	gone := must(security.InvalidateApiKey().Raw(body(object{"ids": []string{key.Id}})).Do(ctx))
	check("invalidated keys", gone.InvalidatedApiKeys, []string{key.Id})
	check("errors", gone.ErrorCount, 0)
	_, err := connect(config{APIKey: key.Encoded}).Security.Authenticate().Do(ctx)
	refused(401, "security_exception", err)
	fmt.Println("api keys")

	other := must(security.CreateApiKey().Raw(body(object{"name": name, "role_descriptors": descriptors})).Do(ctx))
	byKey := connect(config{APIKey: other.Encoded}).Security
	check("id of the key", must(byKey.Authenticate().Do(ctx)).ApiKey.Id, other.Id)
	held := must(byKey.HasPrivileges().Raw(body(object{"application": []object{{
		"application": "apm", "privileges": []string{"event:write", "config_agent:read"}, "resources": []string{"-"},
	}}})).Do(ctx))
	check("event:write", held.Application["apm"]["-"]["event:write"], true)
	check("config_agent:read", held.Application["apm"]["-"]["config_agent:read"], false)
	fmt.Println("authentication by key")

	username := "go.granted." + major
	must(security.PutUser(username).Raw(body(object{"password": "correct horse", "roles": []string{"superuser"}})).Do(ctx))
	granted := must(security.GrantApiKey().Raw(body(object{
		"grant_type": "password", "username": username, "password": "correct horse",
		"api_key": object{"name": "granted", "role_descriptors": descriptors},
	})).Do(ctx))
	grantee := connect(config{APIKey: granted.Encoded}).Security
	check("user name of the grant", must(grantee.Authenticate().Do(ctx)).Username, username)
	fmt.Println("grant")

	role := "go_role_" + major
	created := must(security.PutRole(role).Raw(body(object{
		"cluster": []string{"manage_own_api_key"}, "applications": applications,
	})).Do(ctx))
	check("role created", created.Role.Created, true)
	check("cluster privileges", fmt.Sprint(must(security.GetRole().Name(role).Do(ctx))[role].Cluster), "[manage_own_api_key]")
	username = "go.user." + major
	check("user created", must(security.PutUser(username).Raw(body(object{
		"password": "correct horse", "roles": []string{role}, "full_name": "Mara Okafor",
	})).Do(ctx)).Created, true)
	check("roles", must(security.GetUser().Username(username).Do(ctx))[username].Roles, []string{role})
	must(security.DisableUser(username).Do(ctx))
	check("enabled", must(security.GetUser().Username(username).Do(ctx))[username].Enabled, false)
	must(security.EnableUser(username).Do(ctx))
	must(security.ChangePassword().Username(username).Raw(body(object{"password": "another horse"})).Do(ctx))
	own := connect(config{Username: username, Password: "another horse"}).Security
	mine := must(own.HasPrivileges().Raw(body(object{"cluster": []string{"manage_own_api_key"}})).Do(ctx))
	check("own privileges", mine.HasAllRequested, true)
	_, err = own.GetUser().Username("elastic").Do(ctx)
	refused(403, "security_exception", err)
	check("user found", must(security.DeleteUser(username).Do(ctx)).Found, true)
	check("user found again", must(security.DeleteUser(username).IsSuccess(ctx)), false)
	check("role found", must(security.DeleteRole(role).Do(ctx)).Found, true)
	fmt.Println("roles and users")

	application := "go" + major
	must(security.PutPrivileges().Raw(body(object{
		application: object{"reader": object{"actions": []string{"data:read/*"}}},
	})).Do(ctx))
	reader := must(security.GetPrivileges().Application(application).Do(ctx))[application]["reader"]
	check("actions", reader.Actions, []string{"data:read/*"})
	deleted := must(security.DeletePrivileges(application, "reader").Do(ctx))
	check("privilege found", deleted[application]["reader"].Found, true)
	builtin := fmt.Sprint(must(security.GetBuiltinPrivileges().Do(ctx)).Cluster)
	check("manage_own_api_key is built in", strings.Contains(builtin, "manage_own_api_key"), true)
	fmt.Println("application privileges")

	_, err = security.CreateApiKey().Raw(body(object{"name": "_reserved"})).Do(ctx)
	refused(400, "action_request_validation_exception", err)
	check("an unknown key is found", must(security.GetApiKey().Id("no-such-key").IsSuccess(ctx)), false)
	_, err = connect(config{Username: "elastic", Password: "wrong"}).Security.Authenticate().Do(ctx)
	refused(401, "security_exception", err)
	fmt.Println("errors")
}

func connect(settings config) *client {
	settings.Addresses = []string{os.Getenv("ENGINE_URL")}
	settings.DisableRetry = true
	settings.CompressRequestBody = compress
	return must(newClient(settings))
}

func body(value object) io.Reader {
	return strings.NewReader(string(must(json.Marshal(value))))
}

func must[Value any](value Value, err error) Value {
	if err != nil {
		panic(err)
	}
	return value
}

func check(what string, found, expected any) {
	if !reflect.DeepEqual(found, expected) {
		panic(fmt.Sprintf("%s: %v instead of %v", what, found, expected))
	}
}

func refused(status int, kind string, err error) {
	var refusal *clientError
	if !errors.As(err, &refusal) {
		panic(fmt.Sprintf("no refusal with %d, but: %v", status, err))
	}
	check("status", refusal.Status, status)
	check("type", refusal.ErrorCause.Type, kind)
}
