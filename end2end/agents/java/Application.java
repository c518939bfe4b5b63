import co.elastic.apm.api.ElasticApm;
import co.elastic.apm.api.Transaction;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;

/** An application with one transaction, and one more for every line of its input. */
final class Application {
    private Application() {}

    public static void main(String[] arguments) throws IOException {
        record("one transaction");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            record(line);
        }
    }

    private static void record(String name) {
        Transaction transaction = ElasticApm.startTransaction();
        transaction.setName(name);
        transaction.end();
    }
}
