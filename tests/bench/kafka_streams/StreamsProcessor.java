import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.Record;

/**
 * The processor's plain job on Kafka Streams: one event in, one Segment record out, keyed by user, at least once.
 *
 * <p>Arguments: bootstrap servers, application id, raw topic, records topic, state directory. One stream thread; the
 * producer collects for 5 ms; offsets are committed once a second, as the pipeline commits them. The default
 * partitioner (murmur2 of the key) leads to the event's own partition, for the raw topic is keyed by user too. What
 * it lacks beside the pipeline's processor: rules, cleaning of values, other shapes of events, dead letters, metrics.
 */
public final class StreamsProcessor {
    private static final byte[] RECORD_FORMAT = {'1'};
    private static final byte[] RULES_VERSION = "kafkastreams".getBytes(StandardCharsets.UTF_8);
    private static final Set<String> ENGAGEMENT = Set.of("clicked", "opened");

    public static void main(String[] arguments) throws InterruptedException {
        Properties properties = new Properties();
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[1]);
        properties.put(StreamsConfig.STATE_DIR_CONFIG, arguments[4]);
        properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.AT_LEAST_ONCE);
        properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1_000);
        properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.ISOLATION_LEVEL_CONFIG), "read_committed");
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 5);
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.ACKS_CONFIG), "all");

        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(arguments[2], Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
                .process(BuildRecord::new)
                .to(arguments[3], Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));

        KafkaStreams streams = new KafkaStreams(builder.build(), properties);
        CountDownLatch stopped = new CountDownLatch(1);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            streams.close();
            stopped.countDown();
        }));
        streams.start();
        stopped.await();
    }

    /** Builds the record of an event as `pipeline.core.records` does. */
    private static final class BuildRecord extends ContextualProcessor<byte[], byte[], byte[], byte[]> {
        private final ObjectMapper json = new ObjectMapper();

        @Override
        public void process(Record<byte[], byte[]> message) {
            var origin = context().recordMetadata().orElseThrow();
            try {
                JsonNode root = json.readTree(message.value());
                JsonNode facts = root.path("event");
                String user = facts.path("external_id").asText();
                byte[] record = json.writeValueAsBytes(record(facts, root.path("message"), user));
                var made = new Record<>(user.getBytes(StandardCharsets.UTF_8), record, message.timestamp());
                made.headers()
                        .add("source-partition", ascii(origin.partition()))
                        .add("source-offset", ascii(origin.offset()))
                        .add("format-version", RECORD_FORMAT)
                        .add("rules-version", RULES_VERSION);
                context().forward(made);
            } catch (java.io.IOException error) {
                throw new java.io.UncheckedIOException(error);
            }
        }

        private ObjectNode record(JsonNode facts, JsonNode message, String user) {
            String kind = facts.path("kind").asText();
            String[] words = kind.split("\\.");
            String channel = words[1];
            String action = words[2];
            boolean engages = ENGAGEMENT.contains(action);

            ObjectNode record = json.createObjectNode();
            record.put("type", "track");
            record.put("event", capital(channel) + " " + capital(action));
            record.put("messageId", facts.path("id").asText());

            ObjectNode properties = record.putObject("properties");
            properties.put("event_kind", kind);
            properties.put("message_type", channel);
            put(properties, "messageId", message.path("id"));
            put(properties, "campaign_id", message.path("id"));
            put(properties, "message_name", message.path("name"));
            put(properties, "message_title", message.path("title"));
            put(properties, "message_contents", message.path("contents"));
            put(properties, "subscription_type", facts.path("subscription_device_type"));
            put(properties, "subscription_device_type", facts.path("subscription_device_type"));
            put(properties, "subscription_id", facts.path("subscription_id"));
            put(properties, "template_id", message.path("template_id"));
            put(properties, "onesignal_id", facts.path("onesignal_id"));
            put(properties, "url", message.path("url"));

            ObjectNode context = record.putObject("context");
            context.putObject("integration").put("name", "onesignal").put("version", "1.1.0");
            ObjectNode onesignal = context.putObject("onesignal");
            put(onesignal, "app_id", facts.path("app_id"));
            onesignal.put("channel", channel);
            onesignal.put("action", action);
            onesignal.put("category", engages ? "engagement" : "delivery");
            onesignal.putObject("mtu").put("segment", "counted").put("mixpanel", engages ? "counted" : "exempt");

            record.putObject("integrations").put("All", true).put("OneSignal New", false);
            record.put("userId", user);
            put(record, "timestamp", facts.path("datetime"));
            return record;
        }

        private static void put(ObjectNode object, String name, JsonNode value) {
            if (value.isTextual() && !value.textValue().isEmpty()) {
                object.set(name, value);
            }
        }

        private static String capital(String word) {
            return Character.toUpperCase(word.charAt(0)) + word.substring(1);
        }

        private static byte[] ascii(long number) {
            return Long.toString(number).getBytes(StandardCharsets.US_ASCII);
        }
    }
}
