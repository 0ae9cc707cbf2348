"""Amazon Bedrock's Converse through Amazon's own client, with an API key of Bedrock's."""

import os

import boto3

from bedrock_converse import PLACE, Converse
from scene import play


class Bearer(Converse):
    def client(self, key):
        os.environ["AWS_BEARER_TOKEN_BEDROCK"] = key
        return boto3.client("bedrock-runtime", **PLACE)


if __name__ == "__main__":
    play(Bearer())
