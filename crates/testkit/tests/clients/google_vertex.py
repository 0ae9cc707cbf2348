"""Gemini on Vertex through Google's own client: by project and location, with a token."""

from google import genai
from google.oauth2.credentials import Credentials

from google_gemini import Gemini
from scene import ADDRESS, play


class Vertex(Gemini):
    # By its name the client tells in which of several ways Vertex takes texts; for this one it is `predict`.
    embedder = "text-embedding-005"

    def client(self, key):
        return genai.Client(
            vertexai=True,
            project="a-project",
            location="europe-west4",
            credentials=Credentials(token=key),
            http_options={"base_url": ADDRESS.rsplit("/", 1)[0], "api_version": "v1beta1"},
        )


if __name__ == "__main__":
    play(Vertex())
