"""The harness judged by itself: its checks must fail where they should."""

import botocore.session
import numpy as np
from harness import mnist, shapes

SESSION = botocore.session.get_session()


def operation(service, name):
    return SESSION.get_service_model(service).operation_model(name)


def json_problems(name, body):
    return shapes.problems(operation("sagemaker", name), 200, {}, body)


def test_a_complete_json_answer_passes():
    assert json_problems("CreateModel", b'{"ModelArn":"arn:aws:sagemaker:us-east-1:123456789012:model/m"}') == []


def test_json_defects_are_found():
    assert json_problems("CreateModel", b"{}") == ["$.ModelArn: required, but missing"]
    assert json_problems("CreateModel", b'{"ModelArn":1}') == ["$.ModelArn: 1 is not a string"]
    assert "no such member" in json_problems("CreateModel", b'{"ModelArn":"a","Extra":1}')[0]
    assert "null" in json_problems("CreateModel", b'{"ModelArn":null}')[0]
    assert "not JSON" in json_problems("CreateModel", b"<html>")[0]
    assert "published values" in json_problems(
        "ListTrainingJobs", b'{"TrainingJobSummaries":[{"TrainingJobName":"a","TrainingJobArn":"b","CreationTime":1.5,'
                            b'"TrainingJobStatus":"Running"}]}')[0]


def test_xml_defects_are_found():
    listing = operation("s3", "ListObjectsV2")
    good = b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><KeyCount>1</KeyCount>' \
           b"<Contents><Key>k</Key><Size>1</Size></Contents></ListBucketResult>"
    assert shapes.problems(listing, 200, {}, good) == []
    assert "no such member" in shapes.problems(listing, 200, {}, good.replace(b"Size", b"Sise"))[0]
    assert "not XML" in shapes.problems(listing, 200, {}, b"ok")[0]
    identity = operation("sts", "GetCallerIdentity")
    assert shapes.problems(identity, 200, {}, b"<A><GetCallerIdentityResult/></A>") == ["the body has no ResponseMetadata"]


def test_errors_must_say_their_code_in_the_body():
    create = operation("sagemaker", "CreateModel")
    assert shapes.error_problems(create, 400, {}, b'{"__type":"ValidationException","message":"m"}') == []
    assert shapes.error_problems(create, 400, {}, b'{"message":"m"}') == ["the error body has no __type"]
    assert shapes.error_problems(operation("s3", "HeadObject"), 404, {}, b"x") == ["a HEAD error has a body"]


def test_mnist_is_the_published_data(mnist_small, mnist_small_libsvm):
    images, labels = mnist.rows("train", 50_000)
    assert images.shape == (50_000, 784) and images.dtype == np.float32 and labels.dtype == np.int64
    assert labels[:5].tolist() == [5, 0, 4, 1, 9] and float(images.max()) == 255 / 256
    first = mnist_small_libsvm["train"].split(b"\n", 1)[0].split(b" ")
    assert first[0] == b"5" and first[1] == b"1:0.0" and first[-1].startswith(b"784:") and len(first) == 785
