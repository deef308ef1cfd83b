// The AWS SDK for JavaScript v3 against a server that the environment names. Prints one JSON line of what it saw.
//
// usage: node client.mjs BUCKET ENDPOINT     (in a folder whose node_modules `./dev setup` has filled)
import { CloudWatchClient, GetMetricDataCommand, ListMetricsCommand, PutMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import { CreateBucketCommand, GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { InvokeEndpointCommand, InvokeEndpointWithResponseStreamCommand, SageMakerRuntimeClient } from "@aws-sdk/client-sagemaker-runtime";
import { Upload } from "@aws-sdk/lib-storage";
import { Readable } from "node:stream";

const [bucket, endpoint] = process.argv.slice(2);
const settings = { region: process.env.AWS_DEFAULT_REGION, endpoint: process.env.AWS_ENDPOINT_URL, maxAttempts: 1 };
const seen = {};

async function objects() {
    const s3 = new S3Client({ ...settings, forcePathStyle: true });
    await s3.send(new CreateBucketCommand({ Bucket: bucket }));
    const put = await s3.send(new PutObjectCommand({ Bucket: bucket, Key: "a b/é.txt", Body: "hello from node" }));
    seen.crc32 = put.ChecksumCRC32;
    const got = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: "a b/é.txt" }));
    seen.text = await got.Body.transformToString();
    // A stream of unknown length goes up in parts, each with a checksum in its trailer.
    const part = Buffer.alloc(1 << 20, 7);
    const stream = Readable.from((function* () { for (let i = 0; i < 6; ++i) yield part; })());
    await new Upload({ client: s3, params: { Bucket: bucket, Key: "large", Body: stream } }).done();
    seen.large = (await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: "large" }))).ContentLength;
    seen.keys = (await s3.send(new ListObjectsV2Command({ Bucket: bucket }))).Contents.map(({ Key }) => Key);
    const missing = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: "none" })).catch((error) => error);
    seen.missing = [missing.name, missing.$metadata.httpStatusCode];
}

async function predictions() {
    const runtime = new SageMakerRuntimeClient(settings);
    const answer = await runtime.send(new InvokeEndpointCommand({
        EndpointName: endpoint, ContentType: "text/csv", Body: "0.1,0.2,0.3,0.4,0.5,0.6\n0.9,-0.8,0.7,0.6,0.5,0.4\n" }));
    seen.predictions = Buffer.from(answer.Body).toString().trim().split(/[\n,]/).map(Number);
    seen.variant = answer.InvokedProductionVariant;
    const streamed = await runtime.send(new InvokeEndpointWithResponseStreamCommand({
        EndpointName: endpoint, ContentType: "text/csv", Body: "0.1,0.2,0.3,0.4,0.5,0.6\n".repeat(3000) }));
    const parts = [];
    for await (const event of streamed.Body) parts.push(Buffer.from(event.PayloadPart.Bytes));
    seen.streamed = [streamed.InvokedProductionVariant, parts.length, Buffer.concat(parts).toString().split(",").length];
    const wrong = await runtime.send(new InvokeEndpointCommand({ EndpointName: "none", Body: "1" })).catch((error) => error);
    seen.noEndpoint = [wrong.name, wrong.message];
}

async function metrics() {
    const watch = new CloudWatchClient(settings);
    const now = new Date(Math.floor(Date.now() / 60000) * 60000);
    const dimensions = [{ Name: "client", Value: bucket }];
    await watch.send(new PutMetricDataCommand({ Namespace: "Espalier/Clients", MetricData: [
        { MetricName: "steps", Dimensions: dimensions, Timestamp: now, Value: 2 },
        { MetricName: "steps", Dimensions: dimensions, Timestamp: now, Value: 4 }] }));
    const listed = await watch.send(new ListMetricsCommand({ Namespace: "Espalier/Clients", Dimensions: dimensions }));
    seen.metrics = listed.Metrics.map(({ MetricName }) => MetricName);
    const data = await watch.send(new GetMetricDataCommand({
        StartTime: new Date(now - 600000), EndTime: new Date(now.getTime() + 60000),
        MetricDataQueries: [{ Id: "m", MetricStat: { Period: 60, Stat: "Average", Metric: {
            Namespace: "Espalier/Clients", MetricName: "steps", Dimensions: dimensions } } }] }));
    seen.values = data.MetricDataResults[0].Values;
    seen.timeIsRight = data.MetricDataResults[0].Timestamps[0].getTime() === now.getTime();
}

await objects();
await predictions();
await metrics();
console.log(JSON.stringify(seen));
