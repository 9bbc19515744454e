"""Topics of a Kafka broker as inlets: one record a message, JSON in its value.

Rules. A topic is read from its first message, and its offsets are kept in the checkpoint, not in a consumer group. A
message without a value (a tombstone of a compacted topic) is no record. Messages that have expired before they were
read are an error, never skipped: data would be lost.

Kafka's jars are fetched only where a topic is configured (jars.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from py4j.protocol import Py4JJavaError
from pydantic import SecretStr
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.runtime.delta.lake import Lake, LakeError
from cinelake.runtime.intake.inlet import Batch, Inlet, count_of
from cinelake.runtime.settings import ConfigError, KafkaSettings

# A broker that has not said by then which partitions there are is taken for unreachable.
ANSWER_MS = 15_000
LOGIN = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}
BYTES = "org.apache.kafka.common.serialization.ByteArrayDeserializer"


@dataclass(frozen=True)
class Broker:
    """How a broker is reached: the settings of a consumer, by Kafka's names."""

    # Holds a password.
    consumer: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, kafka: KafkaSettings, password: SecretStr | None) -> Broker:
        """The configured broker; raises ConfigError where its settings do not fit together."""
        if kafka.servers is None:
            raise ConfigError(
                "ingest.kafka.topics names topics, and ingest.kafka.servers no broker; set it to host:port, …"
            )
        if (kafka.username is None) != (password is None):
            raise ConfigError(
                "ingest.kafka.username and secrets.kafka_password belong together; set both or neither"
            )
        consumer = {"bootstrap.servers": kafka.servers, **kafka.options}
        if kafka.username is not None and password is not None:
            secret = password.get_secret_value()
            login = f"username={_quoted(kafka.username)} password={_quoted(secret)}"
            consumer |= {
                "security.protocol": kafka.options.get("security.protocol", "SASL_SSL"),
                "sasl.mechanism": kafka.mechanism,
                "sasl.jaas.config": f"{LOGIN[kafka.mechanism]} required {login};",
            }
        return cls(consumer)

    @property
    def servers(self) -> str:
        return self.consumer["bootstrap.servers"]


@dataclass(frozen=True)
class Topic(Inlet):
    """A topic that holds the records of one source."""

    lake: Lake
    broker: Broker
    source: str
    name: str
    # The most messages of a micro-batch.
    at_most: int

    @property
    def checkpoint(self) -> str:
        # Offsets mean nothing in another topic.
        return f"{self.lake.root}/checkpoints/{self.source}@{self.name}"

    def extent(self) -> str | None:
        """`offsets:topic`; None where there is no such topic. Raises LakeError when no broker answers."""
        ends = self._ends()
        return f"{sum(ends.values())}:{self.name}" if ends else None

    def count_since(self, extent: str, known: str | None) -> int:
        before = count_of(known) if known and known.endswith(f":{self.name}") else 0
        return count_of(extent) - before

    def lines(self) -> DataFrame:
        options = {f"kafka.{name}": value for name, value in self.broker.consumer.items()}
        messages = (
            self.lake.spark.readStream.format("kafka")
            .options(**options)
            .option(*self._subscription)
            .option("startingOffsets", "earliest")
            .option("maxOffsetsPerTrigger", self.at_most)
            .option("failOnDataLoss", "true")
            .load()
        )
        return messages.select(
            F.col("value").cast("string").alias("value"),
            F.concat_ws("/", "topic", F.col("partition").cast("string")).alias("file"),
            F.col("offset").alias("line"),
            F.col("timestamp").alias("landed_by"),
        )

    @property
    def _subscription(self) -> tuple[str, str]:
        # A topic that does not exist yet can only be waited for by a pattern.
        return (
            ("subscribe", self.name) if self._ends() else ("subscribePattern", re.escape(self.name))
        )

    def batch(self, number: int) -> Batch:
        """The offsets since the batch before, and no files: a message stands alone."""
        return Batch(self._offsets(number) - (self._offsets(number - 1) if number else 0), [])

    def _offsets(self, number: int) -> int:
        """The sum of the offsets that the query had reached with a batch; 0 while there was no such topic."""
        text = self.lake.storage.text(f"{self.checkpoint}/offsets/{number}")
        if text is None:
            return 0
        return sum(json.loads(text.strip().splitlines()[-1]).get(self.name, {}).values())

    def _ends(self) -> dict[int, int]:
        """The offset after the last message of each partition."""
        jvm: Any = self.lake.spark._jvm
        settings = jvm.java.util.Properties()
        given = {
            **self.broker.consumer,
            "key.deserializer": BYTES,
            "value.deserializer": BYTES,
            "allow.auto.create.topics": "false",
            "default.api.timeout.ms": str(ANSWER_MS),
        }
        for name, value in given.items():
            settings.setProperty(name, value)
        try:
            consumer = jvm.org.apache.kafka.clients.consumer.KafkaConsumer(settings)
            try:
                partitions = jvm.java.util.ArrayList()
                for found in consumer.partitionsFor(self.name) or []:
                    partitions.add(
                        jvm.org.apache.kafka.common.TopicPartition(self.name, found.partition())
                    )
                ends = consumer.endOffsets(partitions)
                return {partition.partition(): int(ends[partition]) for partition in partitions}
            finally:
                consumer.close()
        except Py4JJavaError as error:
            cause = error.java_exception
            raise LakeError(
                f"topic {self.name} of {self.broker.servers}: {cause.getClass().getSimpleName()}: "
                f"{cause.getMessage()}; check ingest.kafka.servers, its options and the broker"
            ) from error


def _quoted(text: str) -> str:
    """A value in a JAAS configuration."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
