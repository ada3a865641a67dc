# SPDX-License-Identifier: Apache-2.0
"""The SDKs of OpenAI and Anthropic, whole and streaming. The token stands where the key would."""

import os

import anthropic
import openai

URL, TOKEN = os.environ["KEYWARD_URL"], os.environ["TOKEN"]
QUESTION = [{"role": "user", "content": "Which SDK is this?"}]

o = openai.OpenAI(base_url=f"{URL}/use/production/openai/api-key/~/v1", api_key=TOKEN)
whole = o.chat.completions.create(model="gpt-4o", messages=QUESTION)
assert whole.choices[0].message.content == "That of OpenAI.", whole
chunks = list(o.chat.completions.create(model="gpt-4o", messages=QUESTION, stream=True))
parts = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
assert parts == ["That ", "of ", "OpenAI."], parts

a = anthropic.Anthropic(base_url=f"{URL}/use/production/anthropic/api-key/~", api_key=TOKEN)
message = a.messages.create(model="claude", max_tokens=100, messages=QUESTION)
assert message.content[0].text == "That of Anthropic.", message
with a.messages.stream(model="claude", max_tokens=100, messages=QUESTION) as stream:
    parts = list(stream.text_stream)
assert parts == ["That ", "of ", "Anthropic."], parts

# What the grant is not good for is an error of the SDK as the vendor's own refusals are.
try:
    openai.OpenAI(base_url=f"{URL}/use/production/search/search-key/~/v1", api_key=TOKEN, max_retries=0).models.list()
except openai.PermissionDeniedError as denied:
    print("denied:", denied.status_code)
else:
    raise AssertionError("not denied")
try:
    openai.OpenAI(base_url=f"{URL}/use/production/openai/api-key/~/v1", api_key="none", max_retries=0).models.list()
except openai.AuthenticationError as refused:
    print("refused:", refused.status_code)
else:
    raise AssertionError("not refused")
