import co.elastic.clients.elasticsearch.ElasticsearchClient;
import co.elastic.clients.elasticsearch._types.ElasticsearchException;
import co.elastic.clients.elasticsearch.security.grant_api_key.ApiKeyGrantType;
import co.elastic.clients.elasticsearch.security.ApplicationPrivileges;
import co.elastic.clients.elasticsearch.security.ClusterPrivilege;
import co.elastic.clients.elasticsearch.security.QueryApiKeysRequest;
import co.elastic.clients.elasticsearch.security.RoleDescriptor;
import co.elastic.clients.elasticsearch.security.put_privileges.Actions;
import co.elastic.clients.json.JsonData;
import co.elastic.clients.transport.ElasticsearchTransportConfig;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.UnaryOperator;

/**
 * Walks Elastic's client for Java through everything this product needs, first
 * with plain request bodies, then with compressed ones.
 *
 * <p>Prints the name of each station when it is behind it, and stops with an
 * exception at the first thing that is not as it should be.
 */
final class Walk {
    private static final String URL = System.getenv("ENGINE_URL");
    private static final String PASSWORD = System.getenv("ELASTIC_PASSWORD");

    private static final ApplicationPrivileges APM =
            ApplicationPrivileges.of(apm -> apm.application("apm").privileges("event:write").resources("*"));
    private static final Map<String, RoleDescriptor> DESCRIPTORS =
            Map.of("apm", new RoleDescriptor.Builder().applications(APM).build());
    private static final Map<String, JsonData> METADATA =
            Map.of("application", JsonData.of("apm"), "team", JsonData.of("payments"));

    private final boolean compressed;

    private Walk(boolean compressed) {
        this.compressed = compressed;
    }

    public static void main(String[] arguments) throws Exception {
        for (boolean compressed : List.of(false, true)) {
            System.out.println(compressed ? "compressed" : "plain");
            new Walk(compressed).walk();
        }
    }

    private void walk() throws Exception {
        try (var elastic = connect(to -> to.usernameAndPassword("elastic", PASSWORD))) {
            information(elastic);
            apiKeys(elastic);
            authenticationByKey(elastic);
            grant(elastic);
            rolesAndUsers(elastic);
            applicationPrivileges(elastic);
            errors(elastic);
        }
    }

    private void information(ElasticsearchClient elastic) throws Exception {
        check("ping", elastic.ping().value(), true);
        check("tagline", elastic.info().tagline(), "You Know, for Search");
        check("health", elastic.cluster().health().timedOut(), false);
        check("user name", elastic.security().authenticate().username(), "elastic");
        System.out.println("info");
    }

    private void apiKeys(ElasticsearchClient elastic) throws Exception {
        var security = elastic.security();
        String name = "java client " + compressed;
        var key = security.createApiKey(create -> create.name(name)
                .expiration(time -> time.time("1d"))
                .roleDescriptors(DESCRIPTORS)
                .metadata(METADATA));
        String pair = new String(Base64.getDecoder().decode(key.encoded()), StandardCharsets.UTF_8);
        check("encoded", pair, key.id() + ":" + key.apiKey());
        var got = security.getApiKey(get -> get.id(key.id()).withLimitedBy(true)).apiKeys();
        check("keys of one id", got.size(), 1);
        check("name", got.get(0).name(), name);
        check("invalidated", got.get(0).invalidated(), false);
        check("team", got.get(0).metadata().get("team").to(String.class), "payments");
        for (int more = 0; more < 4; more++) {
            security.createApiKey(create -> create.name(name).roleDescriptors(DESCRIPTORS).metadata(METADATA));
        }
        var query = new QueryApiKeysRequest.Builder()
                .query(by -> by.bool(all -> all.filter(one -> one.term(term -> term.field("name").value(name)))))
                .sort(sort -> sort.field(field -> field.field("creation")))
                .sort(sort -> sort.field(field -> field.field("name")))
                .size(3)
                .build();
        var first = security.queryApiKeys(query);
        check("total", first.total(), 5);
        check("count", first.count(), 3);
        var second = query.rebuild().searchAfter(first.apiKeys().get(2).sort()).build();
        check("total of page 2", security.queryApiKeys(second).total(), 5);
        for (boolean changes : List.of(true, false)) {
            var update = security.updateApiKey(of -> of.id(key.id()).metadata("application", JsonData.of("apm")));
            check("updated", update.updated(), changes);
        }
        var gone = security.invalidateApiKey(invalidate -> invalidate.ids(key.id()));
        check("invalidated keys", gone.invalidatedApiKeys(), List.of(key.id()));
        check("errors", gone.errorCount(), 0);
        try (var revoked = connect(to -> to.apiKey(key.encoded()))) {
            refused(401, "security_exception", () -> revoked.security().authenticate());
        }
        System.out.println("api keys");
    }

    private void authenticationByKey(ElasticsearchClient elastic) throws Exception {
        var key = elastic.security().createApiKey(create -> create.name("let in").roleDescriptors(DESCRIPTORS));
        try (var byKey = connect(to -> to.apiKey(key.encoded()))) {
            check("id of the key", byKey.security().authenticate().apiKey().id(), key.id());
            var held = byKey.security().hasPrivileges(has -> has.application(
                    of -> of.application("apm").privileges("event:write", "config_agent:read").resources("-")));
            check(
                    "privileges of the key",
                    held.application().get("apm").get("-"),
                    Map.of("event:write", true, "config_agent:read", false));
        }
        System.out.println("authentication by key");
    }

    private void grant(ElasticsearchClient elastic) throws Exception {
        String username = "java.granted";
        elastic.security().putUser(put -> put.username(username).password("correct horse").roles("superuser"));
        var granted = elastic.security().grantApiKey(grant -> grant.grantType(ApiKeyGrantType.Password)
                .username(username)
                .password("correct horse")
                // Without descriptors: here, unlike in createApiKey, the client would send them as a list.
                .apiKey(key -> key.name("granted")));
        try (var grantee = connect(to -> to.apiKey(granted.encoded()))) {
            check("user name of the grant", grantee.security().authenticate().username(), username);
        }
        System.out.println("grant");
    }

    private void rolesAndUsers(ElasticsearchClient elastic) throws Exception {
        var security = elastic.security();
        String role = "java_role";
        String own = ClusterPrivilege.ManageOwnApiKey.jsonValue();
        check("role created", security.putRole(put -> put.name(role).cluster(own).applications(APM)).role().created(), true);
        check("cluster privileges", security.getRole(get -> get.name(role)).get(role).cluster(), List.of(own));
        String username = "java.user";
        var created = security.putUser(
                put -> put.username(username).password("correct horse").roles(role).fullName("Mara Okafor"));
        check("user created", created.created(), true);
        check("roles", security.getUser(get -> get.username(username)).get(username).roles(), List.of(role));
        security.disableUser(disable -> disable.username(username));
        check("enabled", security.getUser(get -> get.username(username)).get(username).enabled(), false);
        security.enableUser(enable -> enable.username(username));
        security.changePassword(change -> change.username(username).password("another horse"));
        try (var person = connect(to -> to.usernameAndPassword(username, "another horse"))) {
            var held = person.security().hasPrivileges(has -> has.cluster(own));
            check("own privileges", held.hasAllRequested(), true);
            refused(403, "security_exception", () -> person.security().getUser(get -> get.username("elastic")));
        }
        check("user found", security.deleteUser(delete -> delete.username(username)).found(), true);
        check("role found", security.deleteRole(delete -> delete.name(role)).found(), true);
        System.out.println("roles and users");
    }

    private void applicationPrivileges(ElasticsearchClient elastic) throws Exception {
        var security = elastic.security();
        String application = "javaclient";
        security.putPrivileges(put -> put.privileges(
                application, Map.of("reader", Actions.of(
                        actions -> actions.actions("data:read/*")))));
        var found = security.getPrivileges(get -> get.application(application)).get(application);
        check("actions", found.get("reader").actions(), List.of("data:read/*"));
        var deleted = security.deletePrivileges(delete -> delete.application(application).name("reader"));
        check("privilege found", deleted.get(application).get("reader").found(), true);
        check("built in", security.getBuiltinPrivileges().cluster().contains("manage_own_api_key"), true);
        System.out.println("application privileges");
    }

    private void errors(ElasticsearchClient elastic) throws Exception {
        refused(
                400,
                "action_request_validation_exception",
                () -> elastic.security().createApiKey(create -> create.name("_reserved")));
        try (var stranger = connect(to -> to.usernameAndPassword("elastic", "wrong"))) {
            refused(401, "security_exception", () -> stranger.security().authenticate());
        }
        System.out.println("errors");
    }

    private ElasticsearchClient connect(UnaryOperator<ElasticsearchTransportConfig.Builder> credentials) {
        return ElasticsearchClient.of(to -> credentials.apply(to.host(URL).useCompression(compressed)));
    }

    private static void check(String what, Object found, Object expected) {
        if (!Objects.equals(found, expected)) {
            throw new AssertionError(what + ": " + found + " instead of " + expected);
        }
    }

    private interface Call {
        void run() throws Exception;
    }

    private static void refused(int status, String type, Call call) throws Exception {
        try {
            call.run();
        } catch (ElasticsearchException refusal) {
            check("status", refusal.status(), status);
            check("type", refusal.error().type(), type);
            return;
        }
        throw new AssertionError("no refusal with " + status);
    }
}
