// The AWS SDK for Java v2 against a server that the environment names. Prints lines "name<TAB>value" of what it saw.
//
// usage: java -cp 'JARS/*' Client.java BUCKET ENDPOINT
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.List;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.client.builder.AwsClientBuilder;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchClient;
import software.amazon.awssdk.services.cloudwatch.model.Dimension;
import software.amazon.awssdk.services.cloudwatch.model.Metric;
import software.amazon.awssdk.services.cloudwatch.model.MetricDataResult;
import software.amazon.awssdk.services.cloudwatch.model.MetricDatum;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.NoSuchKeyException;
import software.amazon.awssdk.services.sagemakerruntime.SageMakerRuntimeClient;
import software.amazon.awssdk.services.sagemakerruntime.model.SageMakerRuntimeException;

public final class Client {
    private static final String NAMESPACE = "Espalier/Clients";
    private final String bucket;
    private final String endpoint;

    private Client(String bucket, String endpoint) {
        this.bucket = bucket;
        this.endpoint = endpoint;
    }

    private static void seen(String name, Object value) {
        System.out.println(name + "\t" + value);
    }

    private static <B extends AwsClientBuilder<B, C>, C> C connect(B builder) {
        return builder.region(Region.of(System.getenv("AWS_DEFAULT_REGION")))
                .endpointOverride(URI.create(System.getenv("AWS_ENDPOINT_URL")))
                .credentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create(
                        System.getenv("AWS_ACCESS_KEY_ID"), System.getenv("AWS_SECRET_ACCESS_KEY"))))
                .build();
    }

    private void objects() {
        try (S3Client s3 = connect(S3Client.builder().forcePathStyle(true))) {
            s3.createBucket(r -> r.bucket(bucket));
            seen("crc32", s3.putObject(r -> r.bucket(bucket).key("a b/é.txt"), RequestBody.fromString("hello from java")).checksumCRC32());
            seen("text", s3.getObjectAsBytes(r -> r.bucket(bucket).key("a b/é.txt")).asUtf8String());
            byte[] large = new byte[3 << 20];
            Arrays.fill(large, (byte) 7);
            // A provider's content is signed chunk by chunk and followed by its checksum.
            s3.putObject(r -> r.bucket(bucket).key("large"),
                    RequestBody.fromContentProvider(ContentStreamProvider.fromByteArray(large), large.length, "application/octet-stream"));
            seen("large", s3.headObject(r -> r.bucket(bucket).key("large")).contentLength());
            seen("same", Arrays.equals(large, s3.getObjectAsBytes(r -> r.bucket(bucket).key("large")).asByteArray()));
            seen("keys", s3.listObjectsV2(r -> r.bucket(bucket)).contents().stream().map(o -> o.key()).toList());
            try {
                s3.getObjectAsBytes(r -> r.bucket(bucket).key("none"));
            } catch (NoSuchKeyException error) {
                seen("missing", error.statusCode());
            }
        }
    }

    private void predictions() {
        try (SageMakerRuntimeClient runtime = connect(SageMakerRuntimeClient.builder())) {
            SdkBytes body = SdkBytes.fromUtf8String("0.1,0.2,0.3,0.4,0.5,0.6\n0.9,-0.8,0.7,0.6,0.5,0.4\n");
            var answer = runtime.invokeEndpoint(r -> r.endpointName(endpoint).contentType("text/csv").body(body));
            seen("predictions", answer.body().asString(StandardCharsets.UTF_8).strip().replace('\n', ','));
            seen("variant", answer.invokedProductionVariant());
            try {
                runtime.invokeEndpoint(r -> r.endpointName("none").body(body));
            } catch (SageMakerRuntimeException error) {
                seen("noEndpoint", error.awsErrorDetails().errorCode());
            }
        }
    }

    private void metrics() {
        try (CloudWatchClient watch = connect(CloudWatchClient.builder())) {
            Instant now = Instant.now().truncatedTo(ChronoUnit.MINUTES);
            Dimension dimension = Dimension.builder().name("client").value(bucket).build();
            MetricDatum.Builder datum = MetricDatum.builder().metricName("steps").dimensions(dimension).timestamp(now);
            watch.putMetricData(r -> r.namespace(NAMESPACE).metricData(List.of(datum.value(2.0).build(), datum.value(4.0).build())));
            seen("metrics", watch.listMetrics(r -> r.namespace(NAMESPACE)).metrics().stream()
                    .filter(m -> m.dimensions().contains(dimension)).map(Metric::metricName).toList());
            Metric metric = Metric.builder().namespace(NAMESPACE).metricName("steps").dimensions(dimension).build();
            MetricDataResult result = watch.getMetricData(r -> r.startTime(now.minusSeconds(600)).endTime(now.plusSeconds(60))
                    .metricDataQueries(q -> q.id("m").metricStat(s -> s.period(60).stat("Average").metric(metric)))).metricDataResults().get(0);
            seen("values", result.values());
            seen("timeIsRight", result.timestamps().equals(List.of(now)));
        }
    }

    public static void main(String[] arguments) {
        Client client = new Client(arguments[0], arguments[1]);
        client.objects();
        client.predictions();
        client.metrics();
    }
}
