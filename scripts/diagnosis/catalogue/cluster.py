"""Bootstrap actions, told from their logs; and clusters that never came up, told from EMR's own reasons."""

from scripts.diagnosis.model import Rule

_SCRIPT = "bootstrap/install_dependencies.sh"

BOOTSTRAP = (
    Rule(
        "bootstrap-package",
        (
            r"No matching distribution found for (?P<package>\S+)",
            r"Could not find a version that satisfies the requirement (?P<package>\S+)",
            r"(?:Failed building wheel for|Failed to build|Could not build wheels for) (?P<package>[\w.-]+)",
            r"No match for argument: (?P<package>\S+)|Unable to find a match: (?P<package2>\S+)|No package (?P<package3>\S+) available",
            r"could not install (?P<package>\S+)|ResolutionImpossible|requires a different [Pp]ython|Requires-Python",
            r"(?:ERROR|error): (?:Cannot install|subprocess-exited-with-error|externally-managed|Invalid requirement|Could not install)",
            r"THESE PACKAGES DO NOT MATCH THE HASHES|ReadTimeoutError\(.*pypi|Unable to locate package (?P<package>\S+)",
        ),
        "The bootstrap action could not install {package}.",
        f"Check its name and version in {_SCRIPT}: it needs a wheel for the nodes' Python (3.9 on emr-7.11.0).",
        where="bootstrap",
    ),
    Rule(
        "bootstrap-download",
        (
            r"failed attempting to download bootstrap action|BA_DOWNLOAD_FAILED|BOOTSTRAP_FAILURE_FILE_NOT_FOUND",
            r"File does not exist: (?P<path>s3[an]?://\S+)|(?:Failed|Unable) to download.*bootstrap",
        ),
        "The bootstrap action's script could not be downloaded.",
        "`inv upload` puts it there; check SCRIPTS_PREFIX, and that IAM_INSTANCE_PROFILE may read it.",
        where="bootstrap",
    ),
)

BOOTSTRAP_FAILED = Rule(
    "bootstrap-failed",
    (),
    "The bootstrap action ended with a failure; this was its last error.",
    f"Mend {_SCRIPT}; then `inv create` (or `inv pipeline`) uploads it and starts a new cluster.",
)

CLUSTER = (
    Rule(
        "bootstrap-download",
        (r"failed attempting to download bootstrap action|BA_DOWNLOAD_FAILED|BOOTSTRAP_FAILURE_FILE_NOT_FOUND",),
        "The bootstrap action's script could not be downloaded.",
        "`inv upload` puts it there; check SCRIPTS_PREFIX, and that IAM_INSTANCE_PROFILE may read it.",
    ),
    Rule(
        "disk-full",
        (r"INSUFFICIENT_DISK_SPACE|NO_SLAVES?_LEFT|no space left",),
        "A node's disk is full.",
        "Raise EBS_VOLUME_SIZE, or CORE_INSTANCE_COUNT.",
    ),
    Rule(
        "bootstrap-failed",
        (
            r"bootstrap action (?P<number>\d+) returned a non-zero return code|BOOTSTRAP_FAILURE_\w*NON_ZERO_CODE",
            r"BOOTSTRAP_FAILURE|bootstrap action",
        ),
        "The bootstrap action ended with a failure.",
        f"Mend {_SCRIPT}; then `inv create` (or `inv pipeline`) uploads it and starts a new cluster.",
    ),
    Rule(
        "cluster-instance-profile",
        (
            r"[Ii]nvalid InstanceProfile|[Ii]nstance profile .*(?:invalid|does not exist|not found)|Failed to authorize instance profile",
        ),
        "EMR cannot use the nodes' instance profile.",
        "Check IAM_INSTANCE_PROFILE (its role must have the same name); `aws emr create-default-roles` makes the default.",
    ),
    Rule(
        "cluster-permissions",
        (
            r"insufficient EC2 permissions|not authorized to (?:perform|call)|UnauthorizedOperation|AccessDenied|Access Denied|not been granted",
            r"does not have permission",
        ),
        "EMR's service role lacks a permission.",
        "Give the role of IAM_SERVICE_ROLE what the message names; AmazonEMRServicePolicy_v2 wants the tag"
        " for-use-with-amazon-emr-managed-policies=true on EC2_SUBNET, its VPC and the security groups.",
    ),
    Rule(
        "cluster-service-role",
        (
            r"[Ss]ervice role .*(?:is invalid|invalid|does not exist)|ServiceRole|[Ii]nvalid (?:service )?role|AutoScalingRole|[Aa]uto ?[Ss]caling role",
        ),
        "EMR cannot use its service role.",
        "Check IAM_SERVICE_ROLE (and IAM_AUTOSCALING_ROLE); `aws emr create-default-roles` makes the default ones.",
    ),
    Rule(
        "cluster-key-pair",
        (r"SSH key name was invalid|INVALID_SSH_KEY_NAME|key ?pair '?\S*'? does not exist|InvalidKeyPair",),
        "There is no such EC2 key pair in this region.",
        "Set EC2_KEY_NAME to a key pair of AWS_REGION (`aws ec2 describe-key-pairs`).",
    ),
    Rule(
        "cluster-security-group",
        (r"[Ss]ecurity [Gg]roups?\b|SECURITY_GROUP|\bsg-[0-9a-f]{8,}|[Bb]lock public access|ingress rules",),
        "EMR refuses the security groups.",
        "Check MASTER_SECURITY_GROUP and SLAVE_SECURITY_GROUP: of the subnet's VPC, and open to the public on no port but"
        " 22 (block public access); both empty lets EMR make its own.",
    ),
    Rule(
        "cluster-instance-type",
        (
            r"[Ii]nstance type '?(?P<type>[a-z0-9-]+\.[a-z0-9-]+)?'?.*(?:not supported|is not available|not offered|can only be used in a VPC|invalid)|INSTANCE_TYPE_NOT_SUPPORTED",
            r"does not support instance type|Unsupported(?: instance)? (?:type|configuration)|requested (?:instance )?configuration is (?:currently )?not supported",
        ),
        "The instance type is not to be had there.",
        "Set MASTER_INSTANCE_TYPE and CORE_INSTANCE_TYPE to one that EMR offers in this region and zone, or another"
        " EC2_SUBNET.",
    ),
    Rule(
        "cluster-quota",
        (
            r"(?:vCPU|[Ii]nstance) (?:limit|capacity|quota)|[Qq]uota|LimitExceeded|exceed(?:s|ed)? .*limit|Max(?:imum)? .*instances|limit (?:of|for) .*instances",
        ),
        "The account may not run that many instances.",
        "Ask for a higher EC2 quota (Running On-Demand Standard instances), or lower CORE_INSTANCE_COUNT.",
    ),
    Rule(
        "cluster-capacity",
        (
            r"[Ii]nsufficient.*[Cc]apacity|INSUFFICIENT_CAPACITY|NO_CAPACITY|INSTANCE_FLEET_TIMEOUT|do(?:es)? not have (?:sufficient|enough) .*capacity|SPOT_PRICE",
            r"[Ss]pot .*(?:price|capacity|terminated)|no [Ss]pot capacity",
        ),
        "AWS has no such instances free in that zone now.",
        "Try again, another CORE_INSTANCE_TYPE, or an EC2_SUBNET of another zone.",
    ),
    Rule(
        "cluster-network",
        (r"[Ss]ubnet|\bVPC\b|[Rr]oute [Tt]able|InternetGateway|NAT\b|\bDNS\b|SUBNET_NOT_FROM",),
        "EMR cannot work in that subnet.",
        "Check EC2_SUBNET: it must exist in AWS_REGION, with a route to an internet or NAT gateway and to S3; empty lets"
        " EMR choose.",
    ),
    Rule(
        "node-lost",
        (
            r"(?:master|primary|core) (?:node|instance).*(?:was terminated|lost|failed)|All (?:instances|slaves) in the job flow (?:are|were) terminated|INSTANCE_FAILURE",
        ),
        "The cluster's instances went away.",
        "Run it again; a spot primary node takes the whole cluster with it.",
    ),
    Rule(
        "cluster-internal-error",
        (r"INTERNAL_ERROR|[Ii]nternal error|Failed to (?:start|provision)",),
        "EMR itself failed to bring the cluster up.",
        "Try again, in another EC2_SUBNET if it persists. A service role or KMS key that is refused may hide behind it.",
    ),
    Rule(
        "cluster-log-bucket",
        (r"[Ll]og ?[Uu][Rr][Ii]|S3 bucket|[Bb]ucket",),
        "EMR cannot use the bucket for its logs.",
        "Check S3_BUCKET and LOGS_PREFIX; `inv upload` offers to create the bucket.",
    ),
    Rule(
        "cluster-validation",
        (r"VALIDATION_ERROR",),
        "EMR refused the cluster's configuration.",
        "Mend what the message names; `inv verify` checks the rest.",
    ),
)
