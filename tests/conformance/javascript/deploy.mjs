// The SDK for JavaScript as it comes: a deployment from creation to its end, and the errors on the way.
// Prints what it saw as one JSON object. Arguments: endpoint, bucket, key, tag of the hosts.
import * as sdk from "@aws-sdk/client-codedeploy";

const [endpoint, bucket, key, tag] = process.argv.slice(2);
// Keys that are nobody's: the proxy signs with the user's own.
const credentials = { accessKeyId: "AKIANOBODY", secretAccessKey: "none" };
const client = new sdk.CodeDeployClient({ endpoint, region: "us-east-1", credentials, maxAttempts: 1 });
const called = [];
const call = (name, input) => {
  called.push(name);
  return client.send(new sdk[`${name}Command`](input));
};
const failing = async (name, input) => {
  try {
    await call(name, input);
  } catch (error) {
    return { name: error.name, message: error.message, known: error instanceof sdk.CodeDeployServiceException };
  }
  throw new Error(`${name} was not refused`);
};

const applicationName = "from-javascript";
const group = { applicationName, deploymentGroupName: "prod+1" };
const revision = { revisionType: "S3", s3Location: { bucket, key, bundleType: "zip" } };
const seen = { errors: {} };

seen.applicationId = (await call("CreateApplication", { applicationName })).applicationId;
seen.errors.twice = await failing("CreateApplication", { applicationName });
await call("CreateDeploymentGroup", {
  ...group,
  serviceRoleArn: "arn:aws:iam::123456789012:role/service",
  deploymentConfigName: "CodeDeployDefault.AllAtOnce",
  ec2TagFilters: [{ Key: tag, Value: "yes", Type: "KEY_AND_VALUE" }],
});
await call("RegisterApplicationRevision", { applicationName, revision, description: "registered" });
const { deploymentId } = await call("CreateDeployment", { ...group, revision });
seen.deploymentId = deploymentId;
seen.errors.busy = await failing("CreateDeployment", { ...group, revision });
seen.errors.unknown = await failing("GetDeployment", { deploymentId: "d-000000000" });
seen.errors.groupMissing = await failing("CreateDeployment", { applicationName, revision });

const { deploymentInfo } = await call("GetDeployment", { deploymentId });
seen.createTime = deploymentInfo.createTime.toISOString();
seen.flags = [deploymentInfo.ignoreApplicationStopFailures, deploymentInfo.updateOutdatedInstancesOnly];
seen.listed = [];
for await (const page of sdk.paginateListDeployments({ client }, group)) seen.listed.push(...page.deployments);
const range = { start: new Date(deploymentInfo.createTime.getTime() - 5000), end: new Date() };
seen.ranged = (await call("ListDeployments", { ...group, createTimeRange: range })).deployments;

if (tag !== "none") {
  const waited = await sdk.waitUntilDeploymentSuccessful({ client, maxWaitTime: 90, minDelay: 1, maxDelay: 2 }, { deploymentId });
  seen.waited = waited.state;
  const { targetIds } = await call("ListDeploymentTargets", { deploymentId });
  const { deploymentTargets } = await call("BatchGetDeploymentTargets", { deploymentId, targetIds });
  seen.targets = deploymentTargets.map(({ instanceTarget }) => [instanceTarget.status, instanceTarget.lifecycleEvents.length]);
} else {
  seen.stopped = (await call("StopDeployment", { deploymentId })).status;
}
seen.revisions = (await call("ListApplicationRevisions", { applicationName })).revisions;
seen.configs = (await call("ListDeploymentConfigs", {})).deploymentConfigsList.length;
seen.groups = (await call("BatchGetDeploymentGroups", { applicationName, deploymentGroupNames: ["prod+1"] }))
  .deploymentGroupsInfo.map((info) => info.deploymentGroupName);
seen.called = [...new Set(called)].sort();
console.log(JSON.stringify(seen));
