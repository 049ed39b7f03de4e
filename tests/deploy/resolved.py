"""deploy/aws/template.yaml as CloudFormation would see it for given parameters: conditions decided, parameters
put in, absent properties gone. What only AWS knows stays as text: "<Table.Arn>"."""

import pathlib
import re
import tomllib

from samcli.yamlhelper import yaml_parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "aws"
TEMPLATE = FOLDER / "template.yaml"
SERVICES = ("Inventory", "Accounting", "Fulfilment")
CHANNELS = ("Retail", "Wholesale")
CALL_QUEUES = [f"{service}{channel}Queue" for service in SERVICES for channel in CHANNELS]
ABSENT = object()

PSEUDO = {"AWS::StackName": "stack", "AWS::Region": "eu-west-1", "AWS::AccountId": "111122223333", "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com"}
# What has no default; and everything that can be set.
LEAST = {"Authorizer": "gateway", "JwtIssuer": "https://login.example/", "JwtAudience": "orders", "IdSecretName": "/s/id",
         "InventoryUrl": "https://i.example", "AccountingUrl": "https://a.example", "FulfilmentUrl": "https://f.example"}
MOST = LEAST | {
    "ReceiptJwks": "https://pay.example/keys", "CorsOrigins": "https://shop.example,https://b2b.example", "DomainName": "orders.example",
    "CertificateArn": "arn:aws:acm:eu-west-1:111122223333:certificate/1", "HostedZoneId": "Z1", "SecretStore": "secretsmanager",
    "KmsKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/1", "InventoryUrl": "lambda:inventory", "InventoryArn": "arn:aws:lambda:eu-west-1:111122223333:function:inventory",
    "AccountingUrl": "sqs:https://sqs.eu-west-1.amazonaws.com/111122223333/accounting", "AccountingArn": "arn:aws:sqs:eu-west-1:111122223333:accounting",
    "FulfilmentTokenName": "/s/fulfilment", "TableMaxWriteUnits": "20000", "TableMaxReadUnits": "20000", "TableWarmWriteUnits": "20000",
    "ApiReservedConcurrency": "500", "AdmitReservedConcurrency": "22", "CallReservedConcurrency": "12", "RelayReservedConcurrency": "200",
    "SweepReservedConcurrency": "14", "LogLevel": "debug", "Tracing": "Active", "AlarmEmail": "oncall@shop.example"}
PROGRAM = LEAST | {"Authorizer": "program", "JwtIssuer": "", "JwtAudience": "", "JwtSecretName": "/s/jwt"}
VARIANTS = {"least": LEAST, "most": MOST, "program": PROGRAM}


def read():
    return yaml_parse(TEMPLATE.read_text())


def stages():
    """The parameters of each stack in samconfig.toml."""
    config = tomllib.loads((FOLDER / "samconfig.toml").read_text())
    return {name: dict(text.split("=", 1) for text in stage["deploy"]["parameters"]["parameter_overrides"])
            for name, stage in config.items() if name != "version"}


class Resolver:
    def __init__(self, template, parameters):
        self.template = template
        known = template["Parameters"]
        assert set(parameters) <= set(known), set(parameters) - set(known)
        missing = [name for name, parameter in known.items() if "Default" not in parameter and name not in parameters]
        assert not missing, missing
        self.values = PSEUDO | {name: str(parameters.get(name, parameter.get("Default"))) for name, parameter in known.items()}

    def condition(self, value):
        if isinstance(value, str):
            return self.condition(self.template["Conditions"][value])
        (kind, operand), = value.items()
        if kind == "Condition":
            return self.condition(operand)
        if kind == "Fn::Equals":
            left, right = (str(self.value(item)) for item in operand)
            return left == right
        if kind == "Fn::Not":
            return not self.condition(operand[0])
        return {"Fn::And": all, "Fn::Or": any}[kind](self.condition(item) for item in operand)

    def value(self, value):
        if isinstance(value, list):
            return [item for item in map(self.value, value) if item is not ABSENT]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (kind, operand), = value.items()
            if kind == "Fn::If":
                return self.value(operand[1 if self.condition(operand[0]) else 2])
            if kind == "Ref":
                return ABSENT if operand == "AWS::NoValue" else self.values.get(operand, f"<{operand}>")
            if kind == "Fn::GetAtt":
                return "<" + (operand if isinstance(operand, str) else ".".join(operand)) + ">"
            if kind == "Fn::Sub":
                return re.sub(r"\$\{([^}]+)\}", lambda match: self.values.get(match[1], f"<{match[1]}>"), operand)
            if kind == "Fn::Split":
                return str(self.value(operand[1])).split(operand[0])
            assert not kind.startswith("Fn::"), kind
        return {key: result for key, result in ((key, self.value(item)) for key, item in value.items()) if result is not ABSENT}

    def resources(self):
        """Those that exist, with each function's properties merged into the common ones."""
        found = {name: self.value(resource) for name, resource in self.template["Resources"].items()
                 if "Condition" not in resource or self.condition(resource["Condition"])}
        common = self.value(self.template["Globals"]["Function"])
        for resource in found.values():
            if resource["Type"] == "AWS::Serverless::Function":
                resource["Properties"] = merge(common, resource["Properties"])
        return found

    def broken_rules(self):
        return [assertion["AssertDescription"] for rule in self.template["Rules"].values() if self.condition(rule["RuleCondition"])
                for assertion in rule["Assertions"] if not self.condition(assertion["Assert"])]


def merge(common, own):
    if not (isinstance(common, dict) and isinstance(own, dict)):
        return own
    return {key: merge(common[key], own[key]) if key in common and key in own else own.get(key, common.get(key)) for key in common | own}


def of_type(resources, kind):
    return {name: resource["Properties"] for name, resource in resources.items() if resource["Type"] == kind}
