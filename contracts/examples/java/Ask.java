// Ask the fleet one question: AMQP_URL=amqp://... java -cp 'lib/*' Ask.java [question] [model]

import com.google.gson.*;
import com.rabbitmq.client.*;
import java.io.IOException;
import java.io.PrintStream;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicBoolean;

import static java.nio.charset.StandardCharsets.UTF_8;

public final class Ask {
    static final String TENANT = "acme";
    static final long PATIENCE_MS = 120_000, CONFIRM_MS = 30_000;
    static final PrintStream OUT = new PrintStream(System.out, true, UTF_8);
    static final Map<String, Object> QUEUE_ARGUMENTS = Map.of(
            "x-queue-type", "classic",
            "x-expires", 1_800_000,
            "x-max-length-bytes", 67_108_864,
            "x-overflow", "reject-publish");

    public static void main(String[] words) throws Exception {
        String question = words.length > 0 ? words[0] : "Why is the sky blue? One sentence.";
        String model = words.length > 1 ? words[1] : "deepseek-flash";
        try (var connection = broker().newConnection(); var channel = connection.createChannel()) {
            String queue = "deepseek.reply." + TENANT + "." + UUID.randomUUID();
            channel.queueDeclare(queue, true, false, false, QUEUE_ARGUMENTS);
            JsonObject last = read(channel, queue, publish(channel, queue, question, model));
            channel.queueDelete(queue);
            if (text(last, "kind").equals("failure"))
                throw new Trouble(text(last, "code") + ": " + text(last, "message"));
        } catch (Trouble trouble) {
            System.err.println(trouble.getMessage());
            System.exit(1);
        } catch (IOException | ShutdownSignalException broken) {
            Throwable why = broken.getCause() == null ? broken : broken.getCause();
            System.err.println("Does the broker run, is the topology applied? " + why.getMessage());
            System.exit(1);
        }
    }

    static ConnectionFactory broker() throws Exception {
        String url = Objects.requireNonNullElse(System.getenv("AMQP_URL"), "");
        if (url.isEmpty()) throw new Trouble("AMQP_URL is not set: set it as in amqp://user:password@host:5672/");
        var factory = new ConnectionFactory();
        factory.setUri(url.replaceFirst("/$", "")); // to this library a "/" at the end is the virtual host ""
        return factory;
    }

    /** Returns what was published, once the broker has taken it and a queue has it. */
    static AMQP.BasicProperties publish(Channel channel, String queue, String question, String model)
            throws Exception {
        var headers = Map.<String, Object>of(
                "fleet-tenant", TENANT,
                "fleet-deadline-ms", System.currentTimeMillis() + PATIENCE_MS);
        var properties = new AMQP.BasicProperties("application/json", null, headers, 2, null,
                UUID.randomUUID().toString(), queue, null, UUID.randomUUID().toString(), null, "chat.v1",
                null, null, null); // correlation_id, reply_to, expiration, message_id, timestamp, type
        var body = Map.of(
                "model", model,
                "messages", List.of(Map.of("role", "user", "content", question)),
                "thinking", Map.of("type", "disabled"),
                "stream", true);
        var returned = new AtomicBoolean();
        channel.addReturnListener(message -> returned.set(true)); // comes before the confirm
        channel.confirmSelect();
        channel.basicPublish("deepseek.requests", "interactive." + TENANT, true, properties,
                new Gson().toJson(body).getBytes(UTF_8));
        if (!channel.waitForConfirms(CONFIRM_MS)) throw new Trouble("The queue of requests is full: ask again later.");
        if (returned.get()) throw new Trouble("No queue takes requests: is the topology applied?");
        return properties;
    }

    /** Prints the chunks as they come, and returns the terminal reply. */
    static JsonObject read(Channel channel, String queue, AMQP.BasicProperties request) throws Exception {
        var deliveries = new LinkedBlockingQueue<Optional<Delivery>>();
        channel.basicConsume(queue, false,
                (tag, delivery) -> deliveries.add(Optional.of(delivery)), tag -> deliveries.add(Optional.empty()));
        var stream = new Stream();
        String again = " Ask again as " + request.getCorrelationId() + " to get the same answer.";
        long giveUp = System.currentTimeMillis() + PATIENCE_MS + 10_000;
        while (true) {
            var next = deliveries.poll(giveUp - System.currentTimeMillis(), TimeUnit.MILLISECONDS);
            if (next == null) throw new Trouble("Nothing final in time." + again);
            Delivery delivery = next.orElseThrow(() -> new Trouble("The reply queue is gone." + again));
            channel.basicAck(delivery.getEnvelope().getDeliveryTag(), false);
            if (!request.getCorrelationId().equals(delivery.getProperties().getCorrelationId())) continue;
            JsonObject reply = JsonParser.parseString(new String(delivery.getBody(), UTF_8)).getAsJsonObject();
            String id = text(reply, "id"); // a refusal ends only the publish that it names
            if (id.contains(":refused:") && !id.endsWith(":refused:" + request.getMessageId())) continue;
            switch (text(reply, "kind")) { // a kind that is not known yet is passed over
                case "chunk", "restarted" -> stream.take(reply, id.split(":"));
                case "result" -> stream.end(reply);
            }
            if (Set.of("result", "failure").contains(text(reply, "kind"))) return reply;
        }
    }

    static String text(JsonObject object, String name) {
        JsonElement found = object.get(name);
        return found == null || found.isJsonNull() ? "" : found.getAsString();
    }

    /** Shows one attempt at a time, without a gap; the terminal reply brings what is missing. */
    static final class Stream {
        final Set<String> left = new HashSet<>();
        String run = "", shown = "";
        int attempt, next;
        boolean whole = true;

        void take(JsonObject reply, String[] id) {
            String its = id[id.length - 3];
            if (left.contains(its) || reply.get("attempt").getAsInt() < attempt) return;
            if (!its.equals(run)) {
                if (left.add(run) && !run.isEmpty()) OUT.println("\n[a new attempt: forget the text above]");
                run = its;
                shown = "";
                attempt = reply.get("attempt").getAsInt();
                next = 0;
                whole = true;
            }
            if (!reply.has("seq") || reply.get("seq").getAsInt() < next) return;
            whole &= reply.get("seq").getAsInt() == next;
            next = reply.get("seq").getAsInt() + 1;
            if (whole) show(text(reply.getAsJsonObject("delta"), "content"));
        }

        void end(JsonObject result) {
            var choices = result.getAsJsonObject("response").getAsJsonArray("choices");
            String answer = text(choices.get(0).getAsJsonObject().getAsJsonObject("message"), "content");
            if (!answer.startsWith(shown)) OUT.println("\n[forget the text above]");
            show((answer.startsWith(shown) ? answer.substring(shown.length()) : answer) + "\n");
        }

        void show(String text) {
            shown += text;
            OUT.print(text);
            OUT.flush();
        }
    }

    /** What is told in a sentence, without a stack trace. */
    static final class Trouble extends Exception {
        Trouble(String sentence) { super(sentence); }
    }
}
