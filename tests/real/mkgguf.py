"""Writes a GGUF with random weights for the folder that mkmodel.py made.

usage: mkgguf.py FOLDER FILE.gguf          needs: gguf, numpy
"""

import json
import sys

import gguf
import numpy as np


def read(folder, name):
    with open(f"{folder}/{name}", encoding="utf-8") as file:
        return json.load(file)


def add_architecture(writer, config):
    writer.add_name("tiny-random-llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def add_tokenizer(writer, tokenizer, chat_template):
    vocabulary = tokenizer["model"]["vocab"]
    tokens = sorted(vocabulary, key=vocabulary.get)
    special = {token["content"] for token in tokenizer["added_tokens"] if token["special"]}
    kinds = [gguf.TokenType.CONTROL if token in special else gguf.TokenType.NORMAL for token in tokens]
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in tokenizer["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([token.encode() for token in tokens])
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_chat_template(chat_template)


def add_weights(writer, config):
    random = np.random.default_rng(0)
    width, inner, vocabulary = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    queries = config["num_attention_heads"] * config["head_dim"]
    keys = config["num_key_value_heads"] * config["head_dim"]

    def weight(name, *shape):
        writer.add_tensor(name, (random.standard_normal(shape) * 0.02).astype(np.float32))

    def norm(name):
        writer.add_tensor(name, np.ones(width, np.float32))

    weight("token_embd.weight", vocabulary, width)
    weight("output.weight", vocabulary, width)
    norm("output_norm.weight")
    for block in range(config["num_hidden_layers"]):
        name = f"blk.{block}."
        norm(name + "attn_norm.weight")
        norm(name + "ffn_norm.weight")
        weight(name + "attn_q.weight", queries, width)
        weight(name + "attn_k.weight", keys, width)
        weight(name + "attn_v.weight", keys, width)
        weight(name + "attn_output.weight", width, queries)
        weight(name + "ffn_gate.weight", inner, width)
        weight(name + "ffn_up.weight", inner, width)
        weight(name + "ffn_down.weight", width, inner)


def main(folder, target):
    config = read(folder, "config.json")
    writer = gguf.GGUFWriter(target, "llama")
    add_architecture(writer, config)
    add_tokenizer(writer, read(folder, "tokenizer.json"), read(folder, "tokenizer_config.json")["chat_template"])
    add_weights(writer, config)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main(sys.argv[1], sys.argv[2])
