"""What is shown of others' texts: passwords in addresses and behind names are hidden whole, in linear time."""

from __future__ import annotations

import time

import pytest

from pipe_agents.redacting import redacted
from pipe_agents.system.titles import masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://:s3cret@db:6379/0", "redis://***@db:6379/0"),
        ("postgres://u:pa/ss@h/x", "postgres://***@h/x"),
        ("amqp://u:p@ss@db", "amqp://***@db"),
        ("amqp://u:p@ss@db and amqp://a:b@c", "amqp://***@db and amqp://***@c"),
        ("http://u:a?b#c@h/", "http://***@h/"),
        ("http://u:a'b\"c@h/", "http://***@h/"),
        ('{"url":"redis://:s3cret@db","to":"a@b"}', '{"url":"redis://***@db","to":"a@b"}'),
        ('{"url":"http://h:80/","to":"a@b"}', '{"url":"http://h:80/","to":"a@b"}'),
        ("http://h/?to=redis://:s3cret@db", "http://h/?to=redis://***@db"),
        ("http://h:8080/x y@z", "http://h:8080/x y@z"),
        ("https://h/@scope/x", "https://h/@scope/x"),
        ("PASSWORD='two words here' next", "PASSWORD='***' next"),
        ('password="two \\"words\\" here", next', 'password="***", next'),
        ('{"password": "two words", "x": "y"}', '{"password": "***", "x": "y"}'),
        ('{"log": "{\\"token\\": \\"two words\\", \\"x\\": 1}"}', '{"log": "{\\"token\\": \\"***\\", \\"x\\": 1}"}'),
        ("PASSWORD='two words he", "PASSWORD='***"),
        ("password='' next", "password='' next"),
        ("password=abc next", "password=*** next"),
        ("Authorization: Bearer abcdef next", "Authorization: Bearer *** next"),
        (f"token={'x' * 2000} next", "token=*** next"),
        ("password for root", "password for root"),
    ],
)
def test_s4_credentials_are_hidden_whole(text: str, shown: str) -> None:
    assert redacted(text) == shown


@pytest.mark.parametrize(
    "part", ["://:", "://a:b", "password='", 'password="', 'token=\\"', "pass", "a://b:c@", "'", "\\"]
)
def test_x2_hostile_lines_take_time_by_their_length(part: str) -> None:
    text = part * (200_000 // len(part))
    began = time.process_time()
    redacted(text)
    assert time.process_time() - began < 5


def test_s4_arguments_of_processes_hide_the_same_addresses() -> None:
    given = ["redis://:s3cret@db", "pg://u:pa/ss@h/x", "amqp://u:p@ss@db", "https://t0ken@h"]
    assert masked(given) == ["redis://***@db", "pg://***@h/x", "amqp://***@db", "https://***@h"]
