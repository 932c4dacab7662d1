"""Families: what kind of model each configuration class of transformers stands for."""

from collections.abc import Mapping
from typing import Literal, get_args

Family = Literal["causal_lm", "encoder_decoder", "speech", "multimodal", "vision", "encoder", "other", "config_only"]
"""By what transformers builds from a configuration: a causal language model; a text encoder with a decoder; a model of
sound; of text and images; of images; of text, without a decoder; anything else; nothing, because the configuration is a
part of others."""

FAMILIES: tuple[Family, ...] = get_args(Family)

TASKS: Mapping[Family, tuple[str, ...]] = {
    "causal_lm": ("CAUSAL_LM",),
    "encoder_decoder": ("SEQ_TO_SEQ_CAUSAL_LM",),
    "speech": (
        "SPEECH_SEQ_2_SEQ",
        "CTC",
        "AUDIO_CLASSIFICATION",
        "AUDIO_FRAME_CLASSIFICATION",
        "AUDIO_XVECTOR",
        "RNNT",
        "TDT",
        "TEXT_TO_SPECTROGRAM",
        "TEXT_TO_WAVEFORM",
    ),
    "multimodal": (
        "IMAGE_TEXT_TO_TEXT",
        "MULTIMODAL_LM",
        "VISUAL_QUESTION_ANSWERING",
        "DOCUMENT_QUESTION_ANSWERING",
        "ZERO_SHOT_IMAGE_CLASSIFICATION",
        "ZERO_SHOT_OBJECT_DETECTION",
        "RETRIEVAL",
    ),
    "vision": (
        "IMAGE",
        "IMAGE_CLASSIFICATION",
        "VIDEO_CLASSIFICATION",
        "OBJECT_DETECTION",
        "SEMANTIC_SEGMENTATION",
        "INSTANCE_SEGMENTATION",
        "UNIVERSAL_SEGMENTATION",
        "IMAGE_SEGMENTATION",
        "IMAGE_MATTING",
        "IMAGE_TO_IMAGE",
        "CAUSAL_IMAGE_MODELING",
        "MASKED_IMAGE_MODELING",
        "DEPTH_ESTIMATION",
        "NORMAL_ESTIMATION",
        "POINTMAP_ESTIMATION",
        "POSE_ESTIMATION",
        "KEYPOINT_DETECTION",
        "KEYPOINT_MATCHING",
        "MASK_GENERATION",
        "TABLE_RECOGNITION",
        "TEXT_RECOGNITION",
        "BACKBONE",
    ),
    "encoder": (
        "MASKED_LM",
        "TEXT_ENCODING",
        "SEQUENCE_CLASSIFICATION",
        "TOKEN_CLASSIFICATION",
        "QUESTION_ANSWERING",
        "MULTIPLE_CHOICE",
    ),
}
"""The auto classes of transformers that tell a family, in the order in which families are tried."""

WORDS: Mapping[str, Family] = {
    "vision": "vision",
    "image": "vision",
    "audio": "speech",
    "speech": "speech",
    "text": "encoder",
}
"""Words in the names of types that only the auto class of bare models knows: parts of larger models, mostly."""


def families_of_types() -> dict[str, Family]:
    """The family of every model type of the installed transformers, without importing any model."""
    from transformers import CONFIG_MAPPING
    from transformers.models.auto import modeling_auto

    def types_of(task: str) -> Mapping[str, object]:
        found: Mapping[str, object] = getattr(modeling_auto, f"MODEL_FOR_{task}_MAPPING_NAMES", {})
        return found

    members = {family: {name for task in tasks for name in types_of(task)} for family, tasks in TASKS.items()}
    any_model = set(modeling_auto.MODEL_MAPPING_NAMES)
    found: dict[str, Family] = {}
    for name in CONFIG_MAPPING.keys():  # noqa: SIM118  # by itself it says that it is empty
        fallback = _by_name(name) if name in any_model else "config_only"
        found[name] = next((family for family, types in members.items() if name in types), fallback)
    return found


def _by_name(name: str) -> Family:
    return next((family for word, family in WORDS.items() if word in name), "other")
