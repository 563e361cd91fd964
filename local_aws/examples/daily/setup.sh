#!/bin/sh
# Makes a small daily service with the AWS CLI alone: a schedule starts a chain, the chain asks a function and runs a task, and
# an alarm writes a mail when the chain fails. Nothing in it is special to the embedded AWS but the builder of the image.
#   eval "$(python -m local_aws env)" && sh local_aws/examples/daily/setup.sh
set -eu
cd "$(dirname "$0")"
PYTHONPATH=$(cd ../../.. && pwd) # python -m local_aws.containers
export PYTHONPATH
account=$(aws sts get-caller-identity --query Account --output text)
region=$AWS_DEFAULT_REGION bucket=daily-$account
files=$(mktemp -d)
trap 'rm -rf "$files"' EXIT

role() { # name, the service that takes it, its statements
    aws iam create-role --role-name "$1" --assume-role-policy-document "{\"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\":
        \"Allow\", \"Principal\": {\"Service\": \"$2.amazonaws.com\"}, \"Action\": \"sts:AssumeRole\"}]}" >/dev/null
    aws iam put-role-policy --role-name "$1" --policy-name "$1" --policy-document "{\"Version\": \"2012-10-17\", \"Statement\": [$3]}"
}
allow() { printf '{"Effect": "Allow", "Action": %s, "Resource": "%s"}' "$1" "$2"; }

echo 'A key, and a bucket whose objects are under it'
key=$(aws kms create-key --description daily --query KeyMetadata.Arn --output text)
aws s3api create-bucket --bucket "$bucket" >/dev/null
aws s3api put-bucket-encryption --bucket "$bucket" --server-side-encryption-configuration "{\"Rules\": [{\"BucketKeyEnabled\": true,
    \"ApplyServerSideEncryptionByDefault\": {\"SSEAlgorithm\": \"aws:kms\", \"KMSMasterKeyID\": \"$key\"}}]}"

echo 'Roles'
role daily-task ecs-tasks "$(allow '"s3:PutObject"' "arn:aws:s3:::$bucket/days/*"), $(allow '"kms:GenerateDataKey"' "$key")"
role daily-execution ecs-tasks "$(allow '["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer",
    "logs:CreateLogStream", "logs:PutLogEvents"]' '*')"
role daily-function lambda "$(allow '["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]' '*')"
role daily-chain states "$(allow '["lambda:InvokeFunction", "ecs:RunTask", "ecs:StopTask", "ecs:DescribeTasks", "events:PutRule",
    "events:PutTargets", "events:DescribeRule"]' '*'), $(allow '"iam:PassRole"' "arn:aws:iam::$account:role/daily-*")"
role daily-schedule scheduler "$(allow '"states:StartExecution"' "arn:aws:states:$region:$account:stateMachine:daily")"

echo 'The image of the task'
repository=$(aws ecr create-repository --repository-name daily --image-tag-mutability IMMUTABLE \
    --query repository.repositoryUri --output text)
python -m local_aws.containers build -t "$repository:1" . >/dev/null
aws ecr get-login-password |
    python -m local_aws.containers login --username AWS --password-stdin "${repository%%/*}" >/dev/null
python -m local_aws.containers push "$repository:1" >/dev/null

echo 'The cluster, and the task in it'
vpc=$(aws ec2 create-vpc --cidr-block 10.9.0.0/16 --query Vpc.VpcId --output text)
subnet=$(aws ec2 create-subnet --vpc-id "$vpc" --cidr-block 10.9.0.0/24 --query Subnet.SubnetId --output text)
aws ecs create-cluster --cluster-name daily --capacity-providers FARGATE FARGATE_SPOT \
    --default-capacity-provider-strategy capacityProvider=FARGATE_SPOT,weight=1 >/dev/null
aws logs create-log-group --log-group-name /ecs/daily
aws ecs register-task-definition --family daily --network-mode awsvpc --requires-compatibilities FARGATE --cpu 256 --memory 512 \
    --execution-role-arn "arn:aws:iam::$account:role/daily-execution" --task-role-arn "arn:aws:iam::$account:role/daily-task" \
    --container-definitions "[{\"name\": \"main\", \"image\": \"$repository:1\",
        \"environment\": [{\"name\": \"BUCKET\", \"value\": \"$bucket\"}],
        \"logConfiguration\": {\"logDriver\": \"awslogs\", \"options\": {\"awslogs-group\": \"/ecs/daily\",
            \"awslogs-region\": \"$region\", \"awslogs-stream-prefix\": \"task\"}}}]" >/dev/null

echo 'The function'
python -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1], "w").write("function.py")' "$files/function.zip"
aws lambda create-function --function-name daily-ask --runtime python3.12 --handler function.handler \
    --role "arn:aws:iam::$account:role/daily-function" --zip-file "fileb://$files/function.zip" >/dev/null
aws lambda wait function-active-v2 --function-name daily-ask

echo 'The chain, and its schedule: 18:05 in New York, whatever the clocks there do'
sed "s/SUBNET/$subnet/" chain.json >"$files/chain.json"
chain=$(aws stepfunctions create-state-machine --name daily --role-arn "arn:aws:iam::$account:role/daily-chain" \
    --definition "file://$files/chain.json" --query stateMachineArn --output text)
aws scheduler create-schedule --name daily --schedule-expression 'cron(5 18 * * ? *)' \
    --schedule-expression-timezone America/New_York --flexible-time-window Mode=OFF --target "{\"Arn\": \"$chain\",
        \"RoleArn\": \"arn:aws:iam::$account:role/daily-schedule\",
        \"Input\": \"{\\\"time\\\": \\\"<aws.scheduler.scheduled-time>\\\"}\"}" >/dev/null

echo 'The alarm, and who is told'
topic=$(aws sns create-topic --name daily --query TopicArn --output text)
aws sns subscribe --topic-arn "$topic" --protocol email --notification-endpoint you@example.com >/dev/null
aws cloudwatch put-metric-alarm --alarm-name daily-failed --alarm-description 'The daily chain failed.' \
    --namespace AWS/States --metric-name ExecutionsFailed --dimensions "Name=StateMachineArn,Value=$chain" --statistic Sum \
    --period 300 --evaluation-periods 1 --threshold 1 --comparison-operator GreaterThanOrEqualToThreshold \
    --treat-missing-data notBreaching --alarm-actions "$topic" --ok-actions "$topic"
